"""Pictures from a real server: what the patch changes, what it leaves alone, and what it refuses."""

import numpy as np
import pytest

from blockdance.demo import picture, workflow
from blockdance.demo.picture import Arm, Picture
from blockdance.demo.shapes_showcase import ARMS, captions
from lab.headless import client

WINDOW = (("block_index", -1), ("start", .40), ("end", .95))
FULL = Arm("full")
OFF, HALF = (Arm(f"N={N}", "BlockDancePatch", (("N", N), *WINDOW)) for N in (1, 2))


def patched(**inputs) -> workflow.Prompt:
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Sampler", steps=8)
    workflow.set_inputs(prompt, workflow.PATCH, **inputs)
    return prompt


def drawn(comfyui, arm, options, seed) -> Picture:
    return picture.draw(comfyui.url, workflow.SHAPES, arm, captions(1)[0], seed, options)


def pixels(comfyui, arm, options, seed=1) -> np.ndarray:
    return drawn(comfyui, arm, options, seed).pixels


def test_n_1_draws_the_same_pixels_as_no_patch(comfyui, options):
    assert np.array_equal(pixels(comfyui, FULL, options), pixels(comfyui, OFF, options))


def test_n_2_reuses_and_reports_what_it_executed(comfyui, options):
    half = drawn(comfyui, HALF, options, 2)
    executed, total = half.blocks
    # 28 blocks at 8 steps; a reused step leaves out the first 21
    assert total == 8 * 28
    assert executed < total and (total - executed) % 21 == 0
    assert not np.array_equal(half.pixels, pixels(comfyui, FULL, options, seed=2))


def test_a_patched_run_leaves_no_trace(comfyui, options):
    before = pixels(comfyui, FULL, options, seed=3)
    pixels(comfyui, HALF, options, seed=3)
    assert np.array_equal(before, pixels(comfyui, FULL, options, seed=3))


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm.node], ids=lambda arm: arm.name)
def test_every_method_runs_and_reports(comfyui, options, arm):
    executed, total = drawn(comfyui, arm, options, 5).blocks
    assert total == 8 * 28 and executed < total


def test_a_preset_runs(comfyui):
    prompt = patched()
    workflow.exchange_patch(prompt, "BlockDancePreset", {"preset": "Delta-Cache middle (blocks 3-23)"})
    result = client.submit(comfyui.url, prompt)
    assert "140 of 224 blocks executed" in result.texts[workflow.node_id(prompt, workflow.PATCH)][-1]


@pytest.mark.parametrize("node, inputs, message", [
    ("DeltaCachePatch", dict(N=2, first_block=0, n_cached=0, start=0., end=1.), "n_cached is 0"),
    ("DeltaCachePatch", dict(N=2, first_block=20, n_cached=20, start=0., end=1.), "PixArtMS has 28 blocks"),
    ("DeltaDiTPatch", dict(N=2, b=.6, n_cached=-1, budget=.05), "budget is 0.05"),
    ("DeltaDiTPatch", dict(N=2, b=.6, n_cached=40, budget=0.), "n_cached is 40"),
    ("DeltaCacheUNetPatch", dict(N=2, depth=2, mode="delta", start=0., end=1.), "PixArtMS(.|\n)*U-Net"),
    ("BlockDancePlan", dict(plan="{}"), "BlockDancePlan(.|\n)*plan"),
])
def test_settings_that_do_not_fit_are_refused(comfyui, node, inputs, message):
    prompt = patched()
    workflow.exchange_patch(prompt, node, inputs)
    with pytest.raises(client.PromptError, match=message):
        client.submit(comfyui.url, prompt)


def test_a_repeated_patched_run_draws_the_same(comfyui, options):
    before = pixels(comfyui, HALF, options, seed=4)
    pixels(comfyui, FULL, options, seed=4)
    assert np.array_equal(before, pixels(comfyui, HALF, options, seed=4))


def test_progress_covers_every_step(comfyui):
    prompt = patched(N=3)
    steps = []
    client.submit(comfyui.url, prompt, lambda node, value, maximum: steps.append((node, value, maximum)))
    sampler = workflow.node_id(prompt, "Sampler")
    assert steps[-1] == (sampler, 8, 8)


def test_n_0_is_refused_before_it_runs(comfyui):
    with pytest.raises(client.PromptError, match=r"refused(.|\n)*BlockDance Patch(.|\n)*N"):
        client.submit(comfyui.url, patched(N=0))


def test_a_block_that_the_model_does_not_have(comfyui):
    with pytest.raises(client.PromptError, match="block_index is 99(.|\n)*PixArtMS(.|\n)*28"):
        client.submit(comfyui.url, patched(block_index=99))


def test_an_unknown_node_type(comfyui):
    prompt = patched()
    prompt[workflow.node_id(prompt, "Decode")]["class_type"] = "NoSuchNode"
    with pytest.raises(client.PromptError, match="Decode"):
        client.submit(comfyui.url, prompt)


def test_a_caption_that_says_nothing_drawable(comfyui):
    prompt = patched()
    workflow.set_inputs(prompt, "Caption", caption="a purple dog")
    with pytest.raises(client.PromptError, match="ShapesWorldTextEncode(.|\n)*a purple dog"):
        client.submit(comfyui.url, prompt)
