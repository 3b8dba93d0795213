"""BlockDance-Ada on a real server: trained, resumed, loaded, sampled by, and refused."""

from pathlib import Path

import pytest

from blockdance.blockdance_core.ada import policy_file
from blockdance.demo import workflow
from blockdance.demo.base import DEMO
from blockdance.demo.picture import blocks
from blockdance.tests.models.random_weights import UNKNOWN_DEPTH, write_random_weights
from blockdance.tests.server.test_timeline import ask
from lab.headless import client

WEIGHTS, STEPS = "shallow.safetensors", 8
CAPTIONS = "".join(f"a {color} circle at {place}, on navy\n" for color in ("red", "green")
                   for place in ("top", "left", "center"))
TRAIN = {
    "captions": "some.txt", "name": "mine", "negative": "", "seed": 0, "steps": STEPS, "cfg": 3.,
    "sampler_name": "euler", "scheduler": "simple", "quality_weight": 0., "epochs": 2, "borders": "three quarters",
    "rho": .4, "batch": 2, "rollouts": 2, "baseline": "mean", "learning_rate": .1, "network": "small",
    "start_interval": 2, "validation": .35, "patience": 0}


@pytest.fixture(scope="module", autouse=True)
def files(comfyui) -> None:
    write_random_weights(comfyui.log.parent / "models" / "shapes_world" / WEIGHTS, UNKNOWN_DEPTH)
    (comfyui.log.parent / "input" / "some.txt").write_text(CAPTIONS, encoding="utf-8")


@pytest.fixture
def folder(comfyui) -> Path:
    """The server's folder of policies, without any."""
    folder = comfyui.log.parent / "models" / "blockdance_ada"
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.*"):
        if file.is_file():
            file.unlink()
    return folder


def node(class_type: str, **inputs) -> dict:
    return {"class_type": class_type, "_meta": {"title": class_type}, "inputs": inputs}


def trained(seed: int, **inputs) -> workflow.Prompt:
    """A prompt that trains, with the objects that are right as reward, and samples by the result."""
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Model", weights=WEIGHTS)
    workflow.set_inputs(prompt, "Sampler", steps=STEPS, seed=seed)
    workflow.exchange_patch(prompt, "BlockDanceAdaPatch", {"policy": ["train", 0]})
    model, latent, vae = ([workflow.node_id(prompt, title), 0] for title in ("Model", "Empty picture", "Pixels"))
    prompt["clip"] = node("ShapesWorldCLIPLoader")
    prompt["reward"] = node("BlockDanceAdaReward", kind="named", name="objects right")
    prompt["train"] = node("BlockDanceAdaTrain", model=model, clip=["clip", 0], latent_image=latent, vae=vae,
                           reward=["reward", 0], **TRAIN | inputs)
    prompt["curve"] = node("PreviewImage", images=["train", 2])
    return prompt


def loaded(seed: int, name: str, weights: str = WEIGHTS) -> workflow.Prompt:
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Model", weights=weights)
    workflow.set_inputs(prompt, "Sampler", steps=STEPS, seed=seed)
    workflow.exchange_patch(prompt, "BlockDanceAdaPatch", {"policy": ["load", 0]})
    prompt["load"] = node("BlockDanceAdaLoader", policy=name)
    return prompt


def test_a_policy_is_trained_kept_and_sampled_by(comfyui, folder):
    told = []
    prompt = trained(seed=201)
    result = client.submit(comfyui.url, prompt, lambda *progress: told.append(progress))
    assert any(name == "train" and value == maximum == 4 for name, value, maximum in told)
    assert "batch 4 of 4: saves" in "\n".join(result.texts["train"])
    assert result.texts["train"][-1] == "mine.safetensors is trained"
    [shown] = result.images["curve"]
    assert shown.startswith(b"\x89PNG")
    card = policy_file.read(folder / "mine.safetensors").card
    assert card.training["reward"] == "objects right" and card.steps == STEPS and card.borders == (5,)
    executed, total = blocks(prompt, result)
    assert executed < total == STEPS * UNKNOWN_DEPTH
    again = loaded(202, "mine.safetensors")
    result = client.submit(comfyui.url, again)
    assert blocks(again, result) == (executed, total)
    assert "decided in" in "\n".join(result.texts[workflow.node_id(again, workflow.PATCH)])


def test_a_training_goes_on_where_it_ended(comfyui, folder):
    client.submit(comfyui.url, trained(seed=203, epochs=1))
    result = client.submit(comfyui.url, trained(seed=203, epochs=2))
    assert [text.split(":")[0] for text in result.texts["train"][:-1]] == ["batch 3 of 4", "batch 4 of 4"]
    with pytest.raises(client.PromptError, match="mine.training(.|\n)*settings"):
        client.submit(comfyui.url, trained(seed=203, rollouts=3))


def test_a_training_runs_alone_and_when_it_has_ended_shows_its_curve_again_and_then_is_cached(comfyui, folder):
    prompt = trained(seed=206)
    taken = ("train", "clip", "reward", *(workflow.node_id(prompt, title)
                                          for title in ("Model", "Empty picture", "Pixels")))
    alone = {node: prompt[node] for node in taken}
    first, *again = (client.submit(comfyui.url, alone).texts.get("train", []) for _ in range(3))
    assert len(first) == 5 and [texts[:1] for texts in again] == [first[-2:-1], []]
    assert client.submit(comfyui.url, prompt).images["curve"]


@pytest.mark.parametrize("content, reason", [
    (b"", "safetensors"), (b"\xff" * 1000, "safetensors"),
    (b"\x02\x00\x00\x00\x00\x00\x00\x00{}", "format")], ids=["empty", "something else", "no policy"])
def test_what_is_no_policy_is_refused_before_sampling(comfyui, folder, content, reason):
    (folder / "bad.safetensors").write_bytes(content)
    with pytest.raises(client.PromptError, match=f"BlockDanceAdaLoader(.|\n)*bad.safetensors(.|\n)*{reason}"):
        client.submit(comfyui.url, loaded(204, "bad.safetensors"))


def test_a_policy_of_another_model_is_refused_by_both_names(comfyui, folder):
    [bundled, *_] = sorted(path.name for path in (DEMO / "policies").glob("*.safetensors"))
    with pytest.raises(client.PromptError, match="PixArtMS, 28 blocks(.|\n)*PixArtMS, 8"):
        client.submit(comfyui.url, loaded(205, bundled))


@pytest.mark.parametrize("wrong, reason", [
    ({"name": "../mine"}, "../mine"), ({"captions": "bad.jsonl"}, "bad.jsonl, line 2"),
    ({"captions": "bad.txt"}, "a dog")])
def test_what_cannot_be_trained_on_is_refused(comfyui, folder, wrong, reason):
    (folder.parents[1] / "input" / "bad.jsonl").write_text('"a red circle at top, on navy"\n{\n')
    (folder.parents[1] / "input" / "bad.txt").write_text("a dog\n")
    with pytest.raises(client.PromptError, match=reason):
        client.submit(comfyui.url, trained(206, **wrong))


def test_the_node_shows_that_the_steps_are_chosen_while_sampling(comfyui):
    report = ask(comfyui, {}, "BlockDanceAdaPatch", 20)["report"]
    assert all(entry["reuse"] is None for entry in report["plan"]) and "chosen while sampling" in report["note"]
