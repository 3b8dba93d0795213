"""The pack as a running ComfyUI presents it."""

import json
from dataclasses import dataclass, field
from unittest.mock import ANY
from urllib.request import ProxyHandler, build_opener

import pytest

from blockdance.demo.server import Server


def get(server: Server, path: str) -> str:
    with build_opener(ProxyHandler({})).open(server.url + path, timeout=30) as response:
        return response.read().decode()


@dataclass(frozen=True)
class Schema:
    """What saved workflows and API calls hold of a node. required, optional: inputs and their defaults."""
    title: str
    required: dict[str, object]
    optional: dict[str, object] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=lambda: {"model": "MODEL"})
    folder: str = ""


ADA, ANALYSIS, DIT, PAPERS = "/ada", "/analysis", "/dit", "/papers"
PATCH = {"model": None}
KEPT = {"storage": "model", "offload": "auto"}
ON = {"enabled": True}
SAMPLING = {"cfg": 4., "sampler_name": "euler", "scheduler": "simple"}

# Saved workflows hold widget values by position: ids, names, order and defaults are for ever. New inputs are optional
# and come last
NODES = {
    "BlockDanceAuto": Schema("BlockDance Auto", PATCH | {"speedup": 2., "profile": "auto", "least_quality": 30.},
                             {"quality": "balanced"} | ON),
    "BlockDancePatch": Schema(
        "BlockDance Patch", PATCH | {"N": 2, "block_index": -1, "start": .40, "end": .95},
        {"forecast": "off"} | KEPT | ON, folder=PAPERS),
    "DeltaCachePatch": Schema(
        "Delta-Cache Patch", PATCH | {"N": 2, "first_block": 0, "n_cached": -1, "start": 0., "end": 1.},
        {"forecast": "off"} | KEPT | ON, folder=PAPERS),
    "DeltaDiTPatch": Schema(
        "Delta-DiT Patch", PATCH | {"N": 2, "b": .6, "n_cached": -1, "budget": 0.}, {"forecast": "off"} | KEPT | ON,
        folder=PAPERS),
    "DeltaCacheUNetPatch": Schema(
        "Delta-Cache Patch (U-Net)", PATCH | {"N": 2, "depth": 2, "mode": "delta", "start": 0., "end": 1.}, KEPT | ON,
        folder=PAPERS),
    "BlockDancePreset": Schema("BlockDance Preset", PATCH | {"preset": None}, ON, folder=PAPERS),
    "BlockDancePlan": Schema("BlockDance Plan", PATCH | {"plan": ANY}, ON),
    "BlockDanceAdaPatch": Schema("BlockDance-Ada Patch", PATCH | {"policy": None}, {"threshold": .5} | ON,
                                 folder=PAPERS),
    "BlockDanceCalibrate": Schema(
        "BlockDance Calibrate",
        PATCH | {"positive": None, "negative": None, "latent_image": None, "seed": 0, "runs": 2, "steps": 30}
        | SAMPLING,
        {"refine": 0, "error_growth": True, "check_quality": True, "fit_weights": False},
        {"model": "MODEL", "profile": "STRING"}, "/auto"),
    "BlockDanceAdaLoader": Schema(
        "Load BlockDance-Ada Policy", {"policy": None}, {}, {"policy": "BLOCKDANCE_ADA_POLICY"}, ADA),
    "BlockDanceAdaTrain": Schema(
        "Train BlockDance-Ada",
        PATCH | {"clip": None, "latent_image": None, "captions": None, "name": "my-model", "negative": "", "seed": 0,
                 "steps": 30} | SAMPLING
        | {"quality_weight": 2., "epochs": 100, "borders": "three quarters", "rho": .4, "batch": 16, "rollouts": 1,
           "baseline": "none", "learning_rate": 1e-5, "network": "full", "start_interval": 1, "validation": .1,
           "patience": 10},
        {"vae": None, "reward": None}, {"policy": "BLOCKDANCE_ADA_POLICY", "name": "STRING", "curve": "IMAGE"}, ADA),
    "BlockDanceAdaReward": Schema(
        "BlockDance-Ada Reward", {"kind": None}, {"name": "", "clip": None, "clip_vision": None},
        {"reward": "BLOCKDANCE_REWARD"}, ADA),
    "BlockDanceReport": Schema(
        "BlockDance Report", PATCH | {"latent": None, "theme": "dark"}, {},
        {"text": "STRING", "json": "STRING", "map": "IMAGE", "plan": "STRING"}, ANALYSIS),
    "BlockDanceProbe": Schema("Feature Similarity Probe", PATCH, folder=ANALYSIS),
    "BlockDanceSimilarity": Schema(
        "Feature Similarity", PATCH | {"latent": None, "block_index": -1, "tolerance": .06, "theme": "dark"},
        {"image_a": None, "image_b": None},
        {"recommendation": "STRING", "features": "IMAGE", "deltas": "IMAGE", "steps": "IMAGE", "pca": "IMAGE",
         "spectrum": "IMAGE"}, ANALYSIS),
    "BlockDanceQuality": Schema(
        "Compare Image Quality", {"reference": None, "image": None, "amplify": 8., "lpips": False}, {},
        {"psnr": "FLOAT", "ssim": "FLOAT", "difference": "IMAGE", "text": "STRING"}, ANALYSIS),
    "BlockDanceDiTLoader": Schema("Load DiT (class-conditional)", {"model_name": None}, folder=DIT),
    "BlockDanceDiTLabel": Schema("DiT Class Label", {"label": 207}, {}, {"conditioning": "CONDITIONING"}, DIT),
}
# What saved workflows may have chosen; those that list files or ComfyUI's samplers are not the pack's to promise
CHOICES = {
    "profile": ["auto", "general", "measure anew", "measure only when asked"],
    "quality": ["safe", "balanced", "fast", "custom"], "forecast": ["off", "linear", "quadratic"],
    "storage": ["model", "bf16", "fp8"], "offload": ["auto", "off", "on"], "mode": ["delta", "feature"],
    "borders": ["three quarters", "all", "three quarters or all", "half, three quarters or all"],
    "baseline": ["none", "mean", "greedy"], "network": ["full", "small"], "theme": ["dark", "light"],
    "kind": ["ssim", "distance", "clip", "image_reward", "named"],
    "preset": [
        "BlockDance, PixArt-alpha, N=2 (30 steps)", "BlockDance, PixArt-alpha, N=3 (30 steps)",
        "BlockDance, PixArt-alpha, N=4 (30 steps)", "BlockDance, DiT-XL/2 512, N=2 (50 steps)",
        "BlockDance, DiT-XL/2 512, N=3 (50 steps)", "BlockDance, Open-Sora, N=2 (100 steps)",
        "BlockDance, Open-Sora, N=3 (100 steps)", "Delta-DiT, PixArt-alpha (20 steps)",
        "Delta-DiT, PixArt-alpha, searched b=10 Nc=12", "Delta-DiT, PixArt-alpha, searched b=8 Nc=20",
        "Delta-DiT, SD3 medium, 24 blocks (28 steps)", "Delta-DiT, DiT-XL/2 256 (250 steps)",
        "Delta-DiT, PixArt-LCM, Nc=4 (4 steps, lcm)", "Delta-DiT, PixArt-LCM, Nc=6 (4 steps, lcm)",
        "Delta-DiT, PixArt-LCM, Nc=11 (4 steps, lcm)", "Delta-DiT, PixArt-LCM, Nc=16 (4 steps, lcm)",
        "Delta-Cache shallow (blocks 0-20)", "Delta-Cache middle (blocks 3-23)", "Delta-Cache deep (blocks 7-27)",
        "baseline: DeepCache on a DiT (first 14 blocks)", "baseline: Faster Diffusion, I=4",
        "baseline: Faster Diffusion, I=6", "baseline: Faster Diffusion, I=14", "baseline: Faster Diffusion, I=21"
    ],
    "policy": [], "captions": [], "model_name": [], "sampler_name": ["euler"], "scheduler": ["simple"],
}


@pytest.fixture(scope="module", params=NODES)
def node(comfyui, request) -> dict:
    return json.loads(get(comfyui, f"/object_info/{request.param}"))[request.param]


def test_loads_without_a_complaint(comfyui):
    startup = comfyui.log.read_text(encoding="utf-8").split("got prompt")[0]
    assert "custom_nodes/blockdance\n" in startup.replace("\\", "/")
    assert "IMPORT FAILED" not in startup
    complaints = [line for line in startup.splitlines() if "WARNING" in line or "ERROR" in line]
    assert not [line for line in complaints if "blockdance" in line.lower()]


def test_every_node_is_known(comfyui):
    nodes = json.loads(get(comfyui, "/object_info"))
    assert {name for name, node in nodes.items() if node["python_module"] == "custom_nodes.blockdance"} == {*NODES}


def test_is_listed_where_it_belongs(node):
    schema = NODES[node["name"]]
    assert node["display_name"] == schema.title
    assert node["category"] == "model/patch/blockdance" + schema.folder


def test_inputs_and_their_order_are_those_that_saved_workflows_hold(node):
    schema = NODES[node["name"]]
    for kind, expected in (("required", schema.required), ("optional", schema.optional)):
        assert node["input_order"].get(kind, []) == [*expected]
        assert {name: options(spec).get("default") for name, spec in node["input"].get(kind, {}).items()} == expected


def test_outputs_and_their_order_are_those_that_saved_workflows_hold(node):
    assert [*zip(node["output_name"], node["output"])] == [*NODES[node["name"]].outputs.items()]


def test_what_saved_workflows_have_chosen_can_be_chosen(node):
    inputs = node["input"].get("required", {}) | node["input"].get("optional", {})
    for name, spec in inputs.items():
        if spec[0] == "COMBO":
            assert not {*CHOICES[name]} - {*options(spec)["options"]}, name


def test_every_input_explains_itself(node):
    inputs = node["input"].get("required", {}) | node["input"].get("optional", {})
    assert all(options(spec).get("tooltip") for name, spec in inputs.items() if name != "model"), inputs


@pytest.mark.parametrize("node_id", NODES)
def test_has_a_help_page(comfyui, node_id):
    assert get(comfyui, f"/extensions/blockdance/docs/{node_id}.md").startswith("# ")


def options(spec: list) -> dict:
    """What a node says of an input beside its type."""
    return spec[1] if len(spec) > 1 else {}
