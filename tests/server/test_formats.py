"""An API prompt of version 0.1.0 runs as it is and means what it meant, and its report still has all that it had.

The files are in tests/formats; they are never written anew.
"""

import json

import pytest

from blockdance.tests.documents import ROOT
from lab.headless import client

FORMATS = ROOT / "tests" / "formats"
BLOCKS = {"auto": 112, "blockdance": 161, "delta_cache": 144, "delta_dit": 168, "preset": 140, "plan": 175}  # of 224


@pytest.fixture(scope="module")
def result(comfyui) -> client.Result:
    return client.submit(comfyui.url, json.loads((FORMATS / "workflow_api.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("patch", BLOCKS)
def test_each_patch_computes_as_many_blocks_as_it_did(result, patch):
    report = json.loads(result.written[f"{patch}_view"][1])
    assert (report["executed_blocks"], report["total_blocks"]) == (BLOCKS[patch], 224)
    assert report["failures"] == [] and report["misses"] == 0


def test_a_plan_given_as_text_comes_back(result):
    given = json.loads((FORMATS / "workflow_api.json").read_text(encoding="utf-8"))["plan"]["inputs"]["plan"]
    assert json.loads(result.written["plan_text"][0]) == json.loads(given)


def test_the_probe_shows_all_of_its_pictures(result):
    assert len(result.images["probe_view"]) == 5 and "block_index" in result.texts["probe_view"][-1]


def test_a_report_has_all_that_it_had(result):
    """New keys may have come; seconds are another run's."""
    def compare(then: object, now: object, place: str) -> None:
        if isinstance(then, dict):
            for key, value in then.items():
                assert key in now, f"{place} has no {key}"
                if not key.endswith("seconds"):
                    compare(value, now[key], f"{place}.{key}")
        elif isinstance(then, list):
            assert len(now) == len(then), place
            for number, (one, other) in enumerate(zip(then, now)):
                compare(one, other, f"{place}[{number}]")
        else:
            assert now == then, place
    compare(json.loads((FORMATS / "report.json").read_text(encoding="utf-8")),
            json.loads(result.written["report_json"][0]), "report")
