"""The switch on every patch node: off is the picture without it, and the time that others are compared with."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from blockdance.demo import workflow
from blockdance.tests.server.test_pack import get
from blockdance.tests.server.test_timeline import DEFAULTS, PIXART, ask
from lab.headless import client

TRIES = 8  # as times are not compared where another program disturbs a run
AUTO = {"speedup": 3., "profile": "general", "least_quality": 0.}


def drawn(comfyui, prompt: workflow.Prompt) -> tuple[np.ndarray, str]:
    """The picture, and all that the patch has shown."""
    result = client.submit(comfyui.url, prompt)
    [png] = result.images[workflow.node_id(prompt, "Save")]
    patch = next((node for node, content in prompt.items() if content["_meta"]["title"] == workflow.PATCH), "")
    return np.asarray(Image.open(io.BytesIO(png))), "\n".join(result.texts.get(patch, []))


def patched(seed: int, steps: int, node: str = "BlockDancePatch", **inputs) -> workflow.Prompt:
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Sampler", seed=seed, steps=steps)
    workflow.exchange_patch(prompt, node, inputs)
    return prompt


@pytest.mark.parametrize("node, inputs", [("BlockDancePatch", DEFAULTS), ("BlockDanceAuto", AUTO)])
def test_off_is_the_picture_without_the_node_and_then_on_is_faster(comfyui, node, inputs):
    seed, steps = (301, 11) if node == "BlockDancePatch" else (302, 13)
    bare = patched(seed, steps, node, **inputs)
    workflow.remove_patch(bare)
    full, _ = drawn(comfyui, bare)
    before, shown = drawn(comfyui, patched(seed, steps, node, **inputs))
    assert not np.array_equal(before, full) and " -> " not in shown
    off, shown = drawn(comfyui, patched(seed, steps, node, **inputs, enabled=False))
    assert np.array_equal(off, full) and "switched off" in shown
    for again in range(seed + 50, seed + 50 + TRIES):
        drawn(comfyui, patched(again, steps, node, **inputs, enabled=False))
        _, shown = drawn(comfyui, patched(again, steps, node, **inputs, enabled=True))
        if " s -> " in shown:
            break
    assert " s -> " in shown


def test_off_leaves_the_patch_before_it_as_it_is(comfyui):
    def chained(last: str, **inputs) -> workflow.Prompt:
        prompt = patched(303, 9, **DEFAULTS)
        patch = workflow.node_id(prompt, workflow.PATCH)
        prompt["second"] = {"class_type": last, "inputs": {"model": [patch, 0], **inputs}, "_meta": {"title": "second"}}
        prompt[workflow.node_id(prompt, "Sampler")]["inputs"]["model"] = ["second", 0]
        return prompt
    alone, _ = drawn(comfyui, patched(303, 9, **DEFAULTS))
    off, _ = drawn(comfyui, chained("BlockDanceAuto", **AUTO, enabled=False))
    on, _ = drawn(comfyui, chained("BlockDanceAuto", **AUTO, enabled=True))
    assert np.array_equal(off, alone) and not np.array_equal(on, alone)


def test_every_patch_has_the_switch_last_and_on(comfyui):
    nodes = json.loads(get(comfyui, "/object_info"))
    for name in json.loads(get(comfyui, "/blockdance/plan")):
        *_, (last, (kind, options)) = nodes[name]["input"]["optional"].items()
        assert (last, kind, options["default"]) == ("enabled", "BOOLEAN", True), name


def test_the_plan_of_a_node_that_is_off_computes_everything(comfyui):
    report = ask(comfyui, DEFAULTS | {"enabled": False}, steps=30, model=PIXART)["report"]
    assert "switched off" in report["note"] and not any(step["reuse"] for step in report["plan"])


def computed(comfyui, **settings) -> int:
    """Of 30 evaluations."""
    plan = ask(comfyui, settings | {"profile": "general"}, "BlockDanceAuto", 30, PIXART)["report"]["plan"]
    return sum(step["reuse"] is None for step in plan)


def test_a_word_for_quality_stands_for_two_numbers(comfyui):
    ignored = {"speedup": 1.2, "least_quality": 0.}
    counts = [computed(comfyui, **ignored, quality=word) for word in ("fast", "balanced", "safe")]
    assert counts == sorted(counts) and counts[0] < counts[2] < 30
    assert computed(comfyui, **ignored, quality="custom") == 25


def test_a_number_beside_a_word_that_stands_for_another_is_told_not_to_count(comfyui):
    settings = {"speedup": 3.5, "least_quality": 30., "profile": "general", "quality": "balanced"}
    assert "speedup 3.5" in ask(comfyui, settings, "BlockDanceAuto", 30, PIXART)["hint"]
    _, shown = drawn(comfyui, patched(304, 10, "BlockDanceAuto", **settings))
    assert "speedup 3.5" in shown
    for heeded in ({"quality": "custom"}, {"speedup": 2.}, {"speedup": 2., "quality": "fast"}):
        assert "speedup" not in ask(comfyui, settings | heeded, "BlockDanceAuto", 30, PIXART)["hint"]


def test_a_prompt_from_before_there_were_words_means_what_it_meant(comfyui):
    assert computed(comfyui, speedup=3., least_quality=0.) == 10


def test_a_word_that_does_not_exist_is_refused(comfyui):
    assert "safe" in ask(comfyui, AUTO | {"quality": "best"}, "BlockDanceAuto")["error"]


def test_how_long_a_full_run_took_is_kept_for_the_next_start_of_the_server(comfyui):
    drawn(comfyui, patched(305, 9, **DEFAULTS, enabled=False))
    [kept] = (comfyui.log.parent / "models" / "blockdance").glob("full-runs*")
    assert 9 in [json.loads(line)["evaluations"] for line in kept.read_text(encoding="utf-8").splitlines()]
