"""The pack as a running ComfyUI presents it."""

import json
from unittest.mock import ANY
from urllib.request import ProxyHandler, build_opener

import pytest

from blockdance.demo.server import Server


def get(server: Server, path: str) -> str:
    with build_opener(ProxyHandler({})).open(server.url + path, timeout=30) as response:
        return response.read().decode()


# Saved workflows hold widget values by position: ids, names, order and defaults are for ever
INPUTS = {
    "BlockDanceAuto": ("BlockDance Auto", {"speedup": 2., "profile": "auto", "least_quality": 30.}),
    "BlockDancePatch": ("BlockDance Patch", {"N": 2, "block_index": -1, "start": .40, "end": .95}),
    "DeltaCachePatch": ("Delta-Cache Patch", {"N": 2, "first_block": 0, "n_cached": -1, "start": 0., "end": 1.}),
    "DeltaDiTPatch": ("Delta-DiT Patch", {"N": 2, "b": .6, "n_cached": -1, "budget": 0.}),
    "DeltaCacheUNetPatch": (
        "Delta-Cache Patch (U-Net)", {"N": 2, "depth": 2, "mode": "delta", "start": 0., "end": 1.}),
    "BlockDancePreset": ("BlockDance Preset", {"preset": None}),
    "BlockDancePlan": ("BlockDance Plan", {"plan": ANY}),
    "BlockDanceAdaPatch": ("BlockDance-Ada Patch", {"policy": None}),
}


@pytest.fixture(scope="module", params=INPUTS)
def node(comfyui, request) -> dict:
    return json.loads(get(comfyui, f"/object_info/{request.param}"))[request.param]


def test_loads_without_a_complaint(comfyui):
    startup = comfyui.log.read_text(encoding="utf-8").split("got prompt")[0]
    assert "custom_nodes/blockdance\n" in startup.replace("\\", "/")
    assert "IMPORT FAILED" not in startup
    complaints = [line for line in startup.splitlines() if "WARNING" in line or "ERROR" in line]
    assert not [line for line in complaints if "blockdance" in line.lower()]


def test_is_listed_where_it_belongs(node):
    assert node["display_name"] == INPUTS[node["name"]][0]
    assert node["category"] == "model/patch/blockdance"
    assert node["output"] == ["MODEL"]


def test_inputs_and_their_order_are_those_that_saved_workflows_hold(node):
    _, expected = INPUTS[node["name"]]
    assert node["input_order"]["required"] == ["model", *expected]
    defaults = {name: spec[1].get("default") for name, spec in node["input"]["required"].items() if name != "model"}
    assert defaults == expected


def test_every_input_explains_itself(node):
    assert all(spec[1]["tooltip"] for spec in node["input"]["required"].values())


@pytest.mark.parametrize("node_id", [*INPUTS, "BlockDanceCalibrate", "BlockDanceAdaTrain", "BlockDanceAdaLoader",
                                     "BlockDanceAdaReward", "BlockDanceDiTLoader", "BlockDanceDiTLabel"])
def test_has_a_help_page(comfyui, node_id):
    assert get(comfyui, f"/extensions/blockdance/docs/{node_id}.md").startswith("# ")
