"""The options with which people start ComfyUI: nodes of this pack do the same under each of them."""

from collections.abc import Iterator

import pytest

from blockdance.demo import host, workflow
from blockdance.demo.picture import blocks
from blockdance.demo.server import Server, comfyui_server
from blockdance.tests.models.random_weights import write_random_weights
from lab.headless import client

STEPS, DEPTH = 8, 6  # of a model that nobody has measured
FULL = (STEPS * DEPTH, STEPS * DEPTH)
WEIGHTS = "options.safetensors"


@pytest.fixture(scope="module", params=["--cache-none", "--fast"])
def server(base, request, tmp_path_factory) -> Iterator[Server]:
    write_random_weights(base / "models" / "shapes_world" / WEIGHTS, DEPTH)
    for profile in (base / "models" / "blockdance").glob("*"):
        profile.unlink()
    log = tmp_path_factory.mktemp("options") / "comfyui.log"
    with comfyui_server(host.current(), base, log, (request.param,)) as it:
        yield it


def patched(seed: int, node: str, inputs: dict) -> workflow.Prompt:
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Model", weights=WEIGHTS)
    workflow.set_inputs(prompt, "Sampler", steps=STEPS, seed=seed)
    workflow.exchange_patch(prompt, node, inputs)
    return prompt


def test_blocks_are_reused_and_the_report_is_there(server):
    prompt = patched(201, "DeltaCachePatch", {"N": 2, "first_block": 0, "n_cached": -1, "start": 0., "end": 1.})
    executed, total = blocks(prompt, client.submit(server.url, prompt))
    assert executed < total == FULL[1]


def test_auto_measures_and_is_faster_in_the_next_prompt(server):
    auto = {"speedup": 2., "profile": "auto", "least_quality": 0.}
    first, second = (patched(seed, "BlockDanceAuto", auto) for seed in (202, 203))
    assert blocks(first, client.submit(server.url, first)) == FULL
    assert blocks(second, client.submit(server.url, second)) == (FULL[0] // 2, FULL[1])
