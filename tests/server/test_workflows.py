"""The workflows' API twins on a real server: accepted as they are, and run with tiny files in their loaders.

tests/browser/test_workflows.py compares the twins with the workflows that people open.
"""

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from blockdance.blockdance_core.plan.plan import Transformer
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.demo.world import CHANNELS
from blockdance.lab.workflow_builder.accelerators import METHOD_OF
from blockdance.tests.models.checkpoints import FAMILIES, Family
from lab.headless import client

REPOSITORY = Path(__file__).resolve().parents[2]
TWINS = {path.stem: path for path in sorted((REPOSITORY / "workflows/api").glob("*.json"))}
DEMOS = REPOSITORY / "demo" / "workflows/api"
FILE_LISTS = {"unet_name", "clip_name", "clip_name1", "clip_name2", "vae_name", "ckpt_name", "text_encoder"}
STEPS = 8  # where those of the workflow would take long


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def name_missing_files(prompt: dict) -> None:
    """So that nothing runs, whatever files other tests have made."""
    for node in prompt.values():
        node["inputs"] |= {key: "missing.safetensors" for key in node["inputs"].keys() & FILE_LISTS}


@pytest.mark.parametrize("name", TWINS)
def test_the_server_misses_nothing_but_the_files(comfyui, name):
    prompt = read(TWINS[name])
    name_missing_files(prompt)
    request = Request(f"{comfyui.url}/prompt", json.dumps({"prompt": prompt}).encode())
    with pytest.raises(HTTPError) as refused:
        build_opener(ProxyHandler({})).open(request, timeout=30)
    answer = json.loads(refused.value.read())
    assert answer["error"]["type"] == "prompt_outputs_failed_validation"
    complaints = {(error["type"], error["extra_info"]["input_name"])
                  for node in answer["node_errors"].values() for error in node["errors"]}
    assert complaints and complaints <= {("value_not_in_list", key) for key in FILE_LISTS}


@pytest.mark.parametrize("name, family, stacks, steps", [
    ("PixArt-Sigma with BlockDance Auto", "pixart_sigma", (2,), STEPS),
    ("SD3.5 large with BlockDance Auto", "sd3", (3,), None),
    ("Flux.1-dev with BlockDance Auto", "flux", (3, 5), None)])
def test_runs_with_tiny_files_in_comfyuis_own_loaders(comfyui, base, name, family, stacks, steps):
    prompt = read(TWINS[name])
    width, height = FAMILIES[family].size
    set_everywhere(prompt, width=width, height=height, profile="general", quality="custom", least_quality=0,
                   **({"steps": steps} if steps else {}))
    for node in list(prompt.values()):
        give_files(prompt, node, FAMILIES[family], base / "models")
    check_run(comfyui, prompt, stacks)


def set_everywhere(prompt: dict, **values: int | str) -> None:
    """Give these values to all inputs of these names."""
    for node in prompt.values():
        node["inputs"] |= {key: values[key] for key in node["inputs"].keys() & values.keys()}


def give_files(prompt: dict, node: dict, family: Family, models: Path) -> None:
    """Write the files that a loader names, and put the tests' text encoder in the place of the real ones."""
    encoder = {"class_type": "TinyTextEncoderLoader", "_meta": {"title": "Text encoder"},
               "inputs": {"channels": family.channels, "pooled": family.pooled}}
    inputs = node["inputs"]
    if node["class_type"] == "UNETLoader":
        save_once(family.save_model, models / "diffusion_models" / inputs["unet_name"])
    elif node["class_type"] == "VAELoader":
        save_once(family.save_vae, models / "vae" / inputs["vae_name"])
    elif node["class_type"] in ("CLIPLoader", "DualCLIPLoader"):
        node |= encoder
    elif node["class_type"] == "CheckpointLoaderSimple":
        save_once(family.save_checkpoint, models / "checkpoints" / inputs["ckpt_name"])
        prompt["encoder"] = encoder
        for other in prompt.values():
            if "clip" in other["inputs"]:
                other["inputs"]["clip"] = ["encoder", 0]


def save_once(save, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        save(path)


def test_auto_is_faster_with_the_next_seed_as_its_note_says(comfyui, base):
    prompt = read(TWINS["Before and after, with Flux.1-dev"])
    forget_profiles(base)
    width, height = FAMILIES["flux"].size
    set_everywhere(prompt, width=width, height=height)
    for node in list(prompt.values()):
        give_files(prompt, node, FAMILIES["flux"], base / "models")
    first = client.submit(comfyui.url, prompt)
    [auto], [judge] = of_type(prompt, "BlockDanceAuto"), of_type(prompt, "BlockDanceQuality")
    assert "measured: the next run will be faster" in first.texts[auto][-1]
    assert "identical" in first.texts[judge][-1]

    set_everywhere(prompt, value=2, quality="custom", least_quality=0)  # what is expected of random weights is little
    check_run(comfyui, prompt, (3, 5))


def forget_profiles(base: Path) -> None:
    for file in (base / "models" / "blockdance").glob("*.json"):
        file.unlink()


def check_run(comfyui, prompt: dict, stacks: tuple[int, ...], unaccelerated: int = 0) -> None:
    """Run it: as many evaluations are reused as the plan for even steps has, by which the workflow's note goes, the
    pictures differ from those in full, and are saved. `unaccelerated` are comparisons of two runs in full."""
    result = client.submit(comfyui.url, prompt)
    patches = {key: node for key, node in prompt.items() if node["class_type"] in METHOD_OF}
    assert patches
    for key, patch in patches.items():
        steps = next(node["inputs"]["steps"] for node in prompt.values()
                     if node["class_type"] == "KSampler" and node["inputs"]["model"] == [key, 0])
        settings = dict(patch["inputs"])
        del settings["model"]
        assert settings.pop("enabled", True)
        for name, unused in {"forecast": "off", "storage": "model", "offload": "auto"}.items():
            assert settings.pop(name, unused) == unused
        plan = METHOD_OF[patch["class_type"]](**settings).plan(Schedule.even(steps), Transformer("", stacks))
        assert f"{len(plan.reused_steps)} of {steps} evaluations reused" in result.texts[key][-1]
    judged = [result.texts[key][-1] for key in of_type(prompt, "BlockDanceQuality")]
    assert len([text for text in judged if text.startswith(("PSNR", "mean: PSNR"))]) == len(judged) - unaccelerated
    assert all(result.images[key] for kind in ("SaveImage", "SaveVideo") for key in of_type(prompt, kind))


def of_type(prompt: dict, node_class: str) -> list[str]:
    return [key for key, node in prompt.items() if node["class_type"] == node_class]


@pytest.mark.parametrize("name, unaccelerated", [
    ("For researchers, all methods on one seed of PixArt-Sigma", 1),
    ("For researchers, probe PixArt-Sigma and choose settings", 0)])
def test_runs_with_the_demos_model(comfyui, name, unaccelerated):
    """These need PixArt's 28 blocks, which tiny files do not have.

    They have a patch with the same settings in common, under different ids: what the server keeps of the first must
    not report in the second.
    """
    prompt = read(TWINS[name])
    exchange = {
        "UNETLoader": ("ShapesWorldModelLoader", {"weights": "pixart.safetensors"}),
        "CLIPLoader": ("TinyTextEncoderLoader", {"channels": CHANNELS, "pooled": 1}),
        "VAELoader": ("VAELoader", {"vae_name": "pixel_space"}),
        "EmptyLatentImage": ("EmptyChromaRadianceLatentImage", {"width": 48, "height": 48, "batch_size": 1})}
    for node in prompt.values():
        if node["class_type"] in exchange:
            node["class_type"], node["inputs"] = exchange[node["class_type"]]
    # What is measured of the tests' random weights is no measure: Auto goes by the general profile
    set_everywhere(prompt, steps=STEPS, profile="general", quality="custom", least_quality=0)
    check_run(comfyui, prompt, (28,), unaccelerated)


@pytest.mark.parametrize("name, blocks", [
    ("Shapes with BlockDance, on any CPU", 28), ("Moving shapes with BlockDance, on any CPU", 24)])
def test_the_demos_workflows_run_as_they_are(comfyui, name, blocks):
    check_run(comfyui, read(DEMOS / f"{name}.json"), (blocks,))


def test_the_demos_pictures_are_measured_by_the_first_run_and_faster_in_the_next(comfyui, base):
    prompt = read(DEMOS / "Emoji with BlockDance Auto, on any CPU.json")
    forget_profiles(base)
    set_everywhere(prompt, steps=STEPS)
    [auto] = of_type(prompt, "BlockDanceAuto")
    assert "measured: the next run will be faster" in client.submit(comfyui.url, prompt).texts[auto][-1]
    set_everywhere(prompt, value=2, quality="custom", least_quality=0)  # what is expected of so few steps is little
    check_run(comfyui, prompt, (8, 16))
