"""The pack as a running ComfyUI presents it."""

import json
from urllib.request import ProxyHandler, build_opener

import pytest

from blockdance.demo.server import Server


def get(server: Server, path: str) -> str:
    with build_opener(ProxyHandler({})).open(server.url + path, timeout=30) as response:
        return response.read().decode()


@pytest.fixture(scope="module")
def node(comfyui) -> dict:
    return json.loads(get(comfyui, "/object_info/BlockDancePatch"))["BlockDancePatch"]


def test_loads_without_a_complaint(comfyui):
    startup = comfyui.log.read_text(encoding="utf-8").split("got prompt")[0]
    assert "custom_nodes/blockdance\n" in startup.replace("\\", "/")
    assert "IMPORT FAILED" not in startup
    complaints = [line for line in startup.splitlines() if "WARNING" in line or "ERROR" in line]
    assert not [line for line in complaints if "blockdance" in line.lower()]


def test_is_listed_where_it_belongs(node):
    assert node["display_name"] == "BlockDance Patch"
    assert node["category"] == "model/patch/blockdance"
    assert node["output"] == ["MODEL"]


def test_inputs_and_their_order_are_those_that_saved_workflows_hold(node):
    assert node["input_order"]["required"] == ["model", "N", "block_index", "start", "end"]
    defaults = {name: spec[1].get("default") for name, spec in node["input"]["required"].items()}
    assert defaults == {"model": None, "N": 2, "block_index": -1, "start": .40, "end": .95}


def test_every_input_explains_itself(node):
    assert all(spec[1]["tooltip"] for spec in node["input"]["required"].values())


def test_has_a_help_page(comfyui):
    assert "BlockDance" in get(comfyui, "/extensions/blockdance/docs/BlockDancePatch.md")
