"""The analysis nodes in a running ComfyUI: their inputs, and one run each with the demo's model."""

import io
import json

import pytest
from PIL import Image

from blockdance.demo import workflow
from blockdance.demo.server import Server
from blockdance.tests.server.test_pack import get
from lab.headless import client

NODES = ("BlockDanceReport", "BlockDanceProbe", "BlockDanceSimilarity", "BlockDanceQuality")


@pytest.fixture(scope="module", params=NODES)
def node(comfyui, request) -> dict:
    return json.loads(get(comfyui, f"/object_info/{request.param}"))[request.param]


def test_those_that_show_something_run_by_themselves(node):
    assert node["output_node"] == (node["name"] != "BlockDanceProbe")


def test_everything_explains_itself(comfyui, node):
    inputs = {**node["input"]["required"], **node["input"].get("optional", {})}
    assert all(spec[1]["tooltip"] for spec in inputs.values()) and all(node["output_tooltips"])
    assert get(comfyui, f"/extensions/blockdance/docs/{node['name']}.md").startswith("# ")


def prompt_with(**nodes: dict) -> workflow.Prompt:
    """The demo's prompt of 8 steps, with more nodes: title -> class and inputs."""
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Sampler", steps=8)
    for title, (node_class, inputs) in nodes.items():
        prompt[title] = {"class_type": node_class, "inputs": inputs, "_meta": {"title": title}}
    return prompt


def run(comfyui: Server, prompt: workflow.Prompt) -> client.Result:
    return client.submit(comfyui.url, prompt)


def sizes(files: list[bytes]) -> list[tuple[int, int]]:
    return [Image.open(io.BytesIO(file)).size for file in files]


def test_a_report_of_a_run(comfyui):
    prompt = prompt_with(
        report=("BlockDanceReport", {"model": ["2", 0], "latent": ["6", 0], "theme": "light"}),
        text=("PreviewAny", {"source": ["report", 0]}), json=("PreviewAny", {"source": ["report", 1]}))
    result = run(comfyui, prompt)
    (width, height), = sizes(result.images["report"])
    assert width > 500 and height > 400
    outputs, = (entry["outputs"] for entry in json.loads(get(comfyui, "/history?max_items=1")).values())
    (text,), found = outputs["text"]["text"], json.loads(outputs["json"]["text"][0])
    saved = (found["total_macs"] - found["macs"]) / 1e9
    assert 0 < found["macs"] < found["total_macs"] and not found["uncounted"]
    assert f"saved {saved:.4g} of {found['total_macs'] / 1e9:.4g} GMACs" in text
    assert found["cache_bytes"] == max(evaluation["cache_bytes"] for evaluation in found["evaluations"]) > 0
    workflow.set_inputs(prompt, "Sampler", seed=2)
    assert "report" in run(comfyui, prompt).seconds, "a new run has a new report"
    assert "report" not in run(comfyui, prompt).seconds, "without a new run the report stays"


@pytest.mark.parametrize("node, inputs", [
    ("BlockDanceAuto", {"speedup": 2., "profile": "auto", "least_quality": 0.}),
    ("BlockDancePatch", {"N": 3, "block_index": 9, "start": .2, "end": .9})])
def test_the_plan_of_a_report_is_followed_and_edited(comfyui, node, inputs):
    prompt = prompt_with(report=("BlockDanceReport", {"model": ["2", 0], "latent": ["6", 0], "theme": "light"}))
    workflow.exchange_patch(prompt, node, inputs)
    first = run(comfyui, prompt)
    plan = first.written["report"][2]
    workflow.exchange_patch(prompt, "BlockDancePlan", {"plan": plan})
    second = run(comfyui, prompt)
    save = workflow.node_id(prompt, "Save")
    pictures = [Image.open(io.BytesIO(result.images[save][0])).tobytes() for result in (first, second)]
    # Auto has changed its plan in mid-run, as a model of random weights is none that it was measured for
    assert (pictures[0] == pictures[1]) == ("planned anew" not in first.written["report"][0])
    assert second.written["report"][2] == plan
    edited = json.loads(plan)
    edited["reuse"][0]["steps"].pop()
    workflow.exchange_patch(prompt, "BlockDancePlan", {"plan": json.dumps(edited)})
    third = json.loads(run(comfyui, prompt).written["report"][1])
    assert third["executed_blocks"] > json.loads(second.written["report"][1])["executed_blocks"]


def steps_of(result: client.Result, node: str = "report") -> list[list[int]]:
    """The numbers of steps of the runs in each of a node's reports."""
    found = [json.loads(text) for text in result.written[node] if text.startswith('{\n  "method"')]
    return [[run["steps"] for run in report.get("runs", [report])] for report in found]


def listed(numbers: str, latent: str = "6", **nodes: dict) -> workflow.Prompt:
    """The demo's prompt, sampled once for each number of steps in a list."""
    prompt = prompt_with(numbers=("Numbers", {"numbers": numbers}), **nodes, report=(
        "BlockDanceReport", {"model": ["2", 0], "latent": [latent, 0], "theme": "dark"}))
    prompt["6"]["inputs"]["steps"] = ["numbers", 0]
    return prompt


def test_each_of_a_list_of_runs_has_its_own_report(comfyui):
    result = run(comfyui, listed("4 7 5"))
    assert steps_of(result) == [[4], [7], [5]]
    assert len(result.images["report"]) == 3
    relit = listed("4 7 5")
    workflow.set_inputs(relit, "report", theme="light")
    again = run(comfyui, relit)
    assert "6" not in again.seconds and steps_of(again) == [[4], [7], [5]], "the runs are those of the cached latents"


def test_what_is_joined_of_a_list_has_one_report_of_all_runs(comfyui):
    result = run(comfyui, listed("4 5", "joined", joined=("JoinedLatents", {"latents": ["6", 0]})))
    assert steps_of(result) == [[4, 5]]
    text, _, plan = result.written["report"]
    assert "run 1 of 2: BlockDance N=2 on PixArtMS" in text and "run 2 of 2" in text
    assert json.loads(plan)["steps"] == 5


def second_sampler(prompt: workflow.Prompt, steps: int, latent: list) -> dict:
    return {"class_type": "KSampler", "_meta": {"title": "second"},
            "inputs": prompt["6"]["inputs"] | {"steps": steps, "latent_image": latent}}


def test_two_samplings_one_after_the_other_are_both_in_the_report(comfyui):
    prompt = prompt_with(report=("BlockDanceReport", {"model": ["2", 0], "latent": ["second", 0], "theme": "dark"}))
    prompt["second"] = second_sampler(prompt, 5, ["6", 0])
    assert steps_of(run(comfyui, prompt)) == [[8, 5]]
    prompt["second"]["inputs"]["steps"] = 6
    assert steps_of(run(comfyui, prompt)) == [[6]], "the first was not run again"


def test_two_samplers_of_one_model_have_a_report_each(comfyui):
    reports = {title: ("BlockDanceReport", {"model": ["2", 0], "latent": [latent, 0], "theme": "dark"})
               for title, latent in (("report", "6"), ("other", "second"))}
    prompt = prompt_with(**reports)
    prompt["second"] = second_sampler(prompt, 5, prompt["6"]["inputs"]["latent_image"])
    result = run(comfyui, prompt)
    assert steps_of(result) == [[8]] and steps_of(result, "other") == [[5]]


def test_each_round_of_a_loop_has_its_own_report(comfyui):
    prompt = prompt_with()
    sampler = prompt.pop("6")["inputs"]
    prompt["loop"] = {"class_type": "SampledAgain", "_meta": {"title": "loop"}, "inputs": {
        "steps": "4 6 5", "latent": sampler["latent_image"],
        **{name: sampler[name] for name in ("model", "positive", "negative")}}}
    workflow.replace_links(prompt, ["6", 0], ["loop", 0])
    prompt["report"] = {"class_type": "BlockDanceReport", "_meta": {"title": "report"}, "inputs": {
        "model": ["2", 0], "latent": ["loop", 0], "theme": "dark"}}
    prompt["last"] = {"class_type": "PreviewAny", "_meta": {"title": "last"}, "inputs": {"source": ["loop", 1]}}
    result = run(comfyui, prompt)
    assert steps_of(result) == [[4, 6, 5]], "after the loop, all that it has sampled"
    outputs, = (entry["outputs"] for entry in json.loads(get(comfyui, "/history?max_items=1")).values())
    shown = [text for output in outputs.values() for text in output.get("text", ()) if text.startswith('{\n  "method"')]
    rounds = [json.loads(text) for text in shown if "runs" not in json.loads(text)]
    assert {report["steps"] for report in rounds} == {4, 6, 5}


def test_a_report_of_no_run(comfyui):
    prompt = prompt_with(report=("BlockDanceReport", {"model": ["1", 0], "latent": ["6", 0], "theme": "dark"}))
    with pytest.raises(client.PromptError, match="BlockDanceReport(.|\n)*connect"):
        run(comfyui, prompt)


def viewer(prompt: workflow.Prompt, **inputs) -> workflow.Prompt:
    workflow.exchange_patch(prompt, "BlockDanceProbe", {})
    prompt["viewer"] = {"class_type": "BlockDanceSimilarity", "_meta": {"title": "viewer"}, "inputs": {
        "model": ["2", 0], "latent": ["6", 0], "block_index": -1, "tolerance": .08, "theme": "dark", **inputs}}
    return prompt


def test_the_probe_and_its_pictures(comfyui):
    plain = prompt_with()
    workflow.remove_patch(plain)
    full = run(comfyui, plain).images[workflow.node_id(plain, "Save")]
    prompt = viewer(prompt_with(), image_a=["8", 0], image_b=["8", 0])
    result = run(comfyui, prompt)
    assert result.images[workflow.node_id(prompt, "Save")][0][-2000:] == full[0][-2000:]
    found = sizes(result.images["viewer"])
    assert len(found) == 5 and min(width for width, _ in found) > 500
    assert "recorded 8 evaluations of 28 blocks" in result.texts["2"]
    assert "block_index" in result.texts["viewer"][-1]


def test_each_of_a_list_of_probed_runs_is_shown(comfyui):
    prompt = viewer(prompt_with(numbers=("Numbers", {"numbers": "6 30"})), block_index=3)
    prompt["6"]["inputs"]["steps"] = ["numbers", 0]
    matrices = sizes(run(comfyui, prompt).images["viewer"])[2::5]  # evaluations x evaluations
    assert len(matrices) == len(set(matrices)) == 2


def test_two_steps_are_shown_without_a_recommendation(comfyui):
    prompt = viewer(prompt_with())
    workflow.set_inputs(prompt, "Sampler", steps=2)
    result = run(comfyui, prompt)
    assert len(result.images["viewer"]) == 5 and "at least 5 steps" in result.texts["viewer"][-1]


def test_a_block_that_the_model_does_not_have(comfyui):
    with pytest.raises(client.PromptError, match="block_index is 28.*PixArtMS.*28 blocks.*0 to 27"):
        run(comfyui, viewer(prompt_with(), block_index=28))


def test_the_probe_has_no_report(comfyui):
    prompt = prompt_with(report=("BlockDanceReport", {"model": ["2", 0], "latent": ["6", 0], "theme": "dark"}))
    workflow.exchange_patch(prompt, "BlockDanceProbe", {})
    with pytest.raises(client.PromptError, match="Feature Similarity"):
        run(comfyui, prompt)


def colored(color: int, side: int = 48, batch: int = 1) -> tuple[str, dict]:
    return "EmptyImage", {"width": side, "height": side, "batch_size": batch, "color": color}


def quality(**nodes) -> workflow.Prompt:
    inputs = {"reference": ["a", 0], "image": ["b", 0], "amplify": 8., "lpips": False}
    return {title: {"class_type": kind, "inputs": values, "_meta": {"title": title}} for title, (kind, values) in
            {**nodes, "quality": ("BlockDanceQuality", inputs)}.items()}


@pytest.mark.parametrize("a, b, expected", [
    (colored(0x808080), colored(0x808080), "identical"),
    (colored(0x000000), colored(0x0A0A0A), "PSNR 28.13 dB"),
    (colored(0x808080), colored(0x808080, batch=3), "mean: identical"),
])
def test_quality_of_known_pictures(comfyui, a, b, expected):
    result = run(comfyui, quality(a=a, b=b))
    assert result.texts["quality"][-1].startswith(expected)
    assert sizes(result.images["quality"])[0] == (48, 48)


def test_one_equal_picture_does_not_make_the_mean_of_a_batch_infinite(comfyui):
    both = {"same": colored(0), "other": colored(0x0A0A0A),
            "b": ("ImageBatch", {"image1": ["same", 0], "image2": ["other", 0]})}
    shown = run(comfyui, quality(a=colored(0), **both)).texts["quality"][-1]
    assert shown.startswith("mean: PSNR 28.13 dB without 1 identical picture, SSIM ")


def test_without_lpips_the_other_numbers_and_the_picture_stay(comfyui):
    prompt = quality(a=colored(0), b=colored(0x0A0A0A))
    prompt["quality"]["inputs"]["lpips"] = True
    result = run(comfyui, prompt)
    assert result.texts["quality"][-1].startswith("PSNR 28.13 dB") and "no LPIPS: " in result.texts["quality"][-1]
    assert sizes(result.images["quality"])[0] == (48, 48)


@pytest.mark.parametrize("a, b, message", [
    (colored(0), colored(0, side=64), "reference.* 48 x 48 .*image.* 64 x 64"),
    (colored(0, batch=2), colored(0, batch=3), "reference.* 2 .*image.* 3"),
])
def test_pictures_that_do_not_match_are_refused(comfyui, a, b, message):
    with pytest.raises(client.PromptError, match=message):
        run(comfyui, quality(a=a, b=b))
