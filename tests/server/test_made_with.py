"""Pictures that can be made again: what they were made with is in them, and the same gives the same."""

import asyncio
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blockdance.demo import workflow
from blockdance.tests.server.test_auto import auto, profiles, submit, unknown_model  # noqa: F401
from blockdance.tests.server.test_timeline import follow
from lab.headless import client

ASKED = "measure only when asked"


def drawn(comfyui, prompt: workflow.Prompt) -> tuple[np.ndarray, dict]:
    """The picture that a prompt saves, and the prompt in its metadata."""
    [png] = client.submit(comfyui.url, prompt).images[workflow.node_id(prompt, "Save")]
    image = Image.open(io.BytesIO(png))
    return np.asarray(image), json.loads(image.text["prompt"])


def made_with(prompt: workflow.Prompt, found: dict) -> list[dict]:
    return found[workflow.node_id(prompt, workflow.PATCH)]["_meta"]["blockdance"]


def test_a_saved_picture_says_what_it_was_made_with(comfyui, profiles):  # noqa: F811
    submit(comfyui, auto(seed=201))
    [file] = profiles.glob("*.json")
    prompt = auto(seed=202)
    workflow.set_inputs(prompt, "Save", filename_prefix="made_with")
    extra = {"extra_pnginfo": {"workflow": {"id": "mine"}}}
    *_, finished = asyncio.run(follow(comfyui.url, prompt, extra))
    [saved] = (comfyui.log.parent / "output").glob("made_with*.png")
    text = Image.open(saved).text
    assert json.loads(text["workflow"]) == {"id": "mine"}
    [run] = json.loads(text["blockdance"])
    assert run["node"] == workflow.node_id(prompt, workflow.PATCH)
    assert run["sampler"] == workflow.node_id(prompt, "Sampler")
    assert run["settings"]["speedup"] == 2. and run["profile_file"] == file.name
    assert {"comfyui", "blockdance", "torch"} <= run.keys()
    assert run["plan"]["steps"] == 8 and len(run["plan"]["reuse"][0]["steps"]) == 4
    assert finished["report"]["provenance"]["profile"] == run["profile"]
    assert json.loads(finished["written"]) == run["plan"]


def test_the_same_prompt_with_the_same_profile_gives_the_same_picture(comfyui, profiles):  # noqa: F811
    submit(comfyui, auto(seed=203))
    (first, one), _, (second, other) = (drawn(comfyui, auto(seed=seed)) for seed in (204, 205, 204))
    [one], [other] = made_with(auto(seed=204), one), made_with(auto(seed=204), other)
    assert np.array_equal(first, second) and one == other and one["profile"]


def test_another_profile_has_another_digest(comfyui, profiles):  # noqa: F811
    submit(comfyui, auto(seed=206))
    digests = {made_with(prompt, drawn(comfyui, prompt)[1])[0]["profile"]
               for prompt in (auto(seed=207), auto(seed=207, profile="general"))}
    assert len(digests) == 2 and all(digests)


def test_the_first_and_the_second_run_are_the_same_where_nothing_is_measured_unasked(comfyui, profiles):  # noqa: F811
    (first, _), _, (second, _) = (drawn(comfyui, auto(seed=seed, profile=ASKED)) for seed in (208, 209, 208))
    assert np.array_equal(first, second) and not list(profiles.glob("*.json"))
    submit(comfyui, auto(seed=210, profile="measure anew"))
    assert len(list(profiles.glob("*.json"))) == 1
    _, shown = submit(comfyui, auto(seed=208, profile=ASKED))
    assert "not known" not in shown, "what was measured on request is used"


@pytest.mark.parametrize("extra", [None, {"workflow": None}])
def test_pictures_are_saved_whatever_a_prompt_has_beside_itself(comfyui, extra):
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Sampler", seed=211 + bool(extra), steps=4)
    assert asyncio.run(follow(comfyui.url, prompt, {"extra_pnginfo": extra}))[-1]["phase"] == "finished"


def test_no_path_of_the_machine_is_in_a_picture(comfyui, profiles):  # noqa: F811
    submit(comfyui, auto(seed=213))
    prompt = auto(seed=214)
    assert str(Path(comfyui.log).parent) not in json.dumps(made_with(prompt, drawn(comfyui, prompt)[1]))
