"""BlockDance Auto and Calibrate on a real server: what is measured, kept, found again and refused."""

import io
import json
import uuid
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blockdance.demo import workflow
from blockdance.demo.picture import blocks
from blockdance.tests.models.random_weights import UNKNOWN_DEPTH, write_random_weights
from blockdance.tests.server.test_headless import post
from blockdance.tests.server.test_timeline import PIXART, ask
from lab.headless import client
from lab.headless.graph import replace_links

AUTO = {"speedup": 2., "profile": "auto", "least_quality": 0.}
FULL, HALF = (8 * UNKNOWN_DEPTH, 8 * UNKNOWN_DEPTH), (4 * UNKNOWN_DEPTH, 8 * UNKNOWN_DEPTH)  # blocks of 8 steps
WEIGHTS = "unknown.safetensors"
GENERAL = json.loads((Path(__file__).resolve().parents[2] / "blockdance_core/auto/general/velocity.json").read_text())
TIMES = len(GENERAL["times"])


@pytest.fixture(scope="module", autouse=True)
def unknown_model(comfyui) -> None:
    write_random_weights(comfyui.log.parent / "models" / "shapes_world" / WEIGHTS, UNKNOWN_DEPTH)


@pytest.fixture
def profiles(comfyui) -> Path:
    """The server's folder of profiles, without any."""
    folder = comfyui.log.parent / "models" / "blockdance"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    return folder


def auto(seed: int, **inputs) -> workflow.Prompt:
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Model", weights=WEIGHTS)
    workflow.set_inputs(prompt, "Sampler", steps=8, seed=seed)
    workflow.exchange_patch(prompt, "BlockDanceAuto", AUTO | inputs)
    return prompt


def calibrated(seed: int, **inputs) -> workflow.Prompt:
    """Calibrate between the loader and Auto."""
    prompt = auto(seed)
    model, positive, negative, latent = (
        [workflow.node_id(prompt, title), 0] for title in ("Model", "Caption", "No caption", "Empty picture"))
    prompt["calibrate"] = {"class_type": "BlockDanceCalibrate", "_meta": {"title": "Calibrate"}, "inputs": {
        "model": model, "positive": positive, "negative": negative, "latent_image": latent, "seed": 5, "runs": 2,
        "steps": 8, "cfg": 3., "sampler_name": "euler", "scheduler": "simple"} | inputs}
    prompt[workflow.node_id(prompt, workflow.PATCH)]["inputs"]["model"] = ["calibrate", 0]
    return prompt


def experts(seed: int, other: str) -> workflow.Prompt:
    """Two models in two samplers, for the first and the second half of 20 steps at shift 5, with Auto before each."""
    prompt = auto(seed)
    sampler = workflow.node_id(prompt, "Sampler")
    before = prompt[sampler]["inputs"]
    for number, weights in enumerate((WEIGHTS, other)):
        nodes = {
            f"model {number}": ("ShapesWorldModelLoader", {"weights": weights}),
            f"shift {number}": ("ModelSamplingSD3", {"model": [f"model {number}", 0], "shift": 5.}),
            f"auto {number}": ("BlockDanceAuto", {"model": [f"shift {number}", 0], **AUTO}),
            f"sampler {number}": ("KSamplerAdvanced", {
                **{name: before[name] for name in ("positive", "negative", "cfg", "sampler_name", "scheduler")},
                "model": [f"auto {number}", 0], "noise_seed": seed, "steps": 20,
                "latent_image": ["sampler 0", 0] if number else before["latent_image"],
                "add_noise": "disable" if number else "enable", "start_at_step": 10 * number,
                "end_at_step": 10 + 10 * number, "return_with_leftover_noise": "disable" if number else "enable"})}
        prompt |= {name: {"class_type": kind, "inputs": inputs, "_meta": {"title": name}}
                   for name, (kind, inputs) in nodes.items()}
    replace_links(prompt, [sampler, 0], ["sampler 1", 0])
    del prompt[sampler], prompt[workflow.node_id(prompt, workflow.PATCH)]
    return prompt


def test_two_experts_are_both_measured_by_the_first_prompt(comfyui, profiles):
    write_random_weights(comfyui.log.parent / "models" / "shapes_world" / "low.safetensors", UNKNOWN_DEPTH, seed=1)

    def shown(prompt: workflow.Prompt) -> list[str]:
        result = client.submit(comfyui.url, prompt)
        return [result.texts[f"auto {number}"][-1] for number in (0, 1)]
    assert all("the next run will be faster" in line for line in shown(experts(131, "low.safetensors")))
    kept = [json.loads(file.read_text()) for file in profiles.glob("*.json")]
    assert len(kept) == 2 and len({profile["weights"] for profile in kept}) == 2
    assert sorted((profile["times"][0], profile.get("end", 0)) for profile in kept) == [
        (pytest.approx(.833, abs=.01), 0), (1, pytest.approx(.833, abs=.01))]
    assert all("2.00x" in line for line in shown(experts(132, "low.safetensors")))
    assert len(list(profiles.glob("*.json"))) == 2


def submit(comfyui, prompt: workflow.Prompt) -> tuple[tuple[int, int], str]:
    """Blocks executed and in total, and all that the Auto node has shown."""
    result = client.submit(comfyui.url, prompt)
    return blocks(prompt, result), "\n".join(result.texts[workflow.node_id(prompt, workflow.PATCH)])


def test_the_first_prompt_measures_and_the_next_is_faster(comfyui, profiles):
    counted, shown = submit(comfyui, auto(seed=101))
    assert counted == FULL and "not measured yet" in shown
    [file] = profiles.glob("*.json")
    assert shown.count("the next run will be faster") == 1 and file.name not in shown
    measured = json.loads(file.read_text())
    assert measured["model"]["name"] == "PixArtMS" and measured["runs"] == 1 and len(measured["times"]) == 8

    prompt = auto(seed=102)
    result = client.submit(comfyui.url, prompt)
    node = workflow.node_id(prompt, workflow.PATCH)
    assert blocks(prompt, result) == HALF
    assert "2.00x" in result.texts[node][-1] and "not measured" not in result.texts[node][-1]
    assert json.loads(file.read_text())["runs"] == 1


def test_a_prompt_queued_again_is_faster_once_it_has_measured_and_then_kept(comfyui, profiles):
    """With a fixed seed, for which the server has all in its cache."""
    prompt = auto(seed=115)
    node, sampler = (workflow.node_id(prompt, title) for title in (workflow.PATCH, "Sampler"))
    assert submit(comfyui, prompt)[0] == FULL
    assert submit(comfyui, prompt)[0] == HALF
    third = client.submit(comfyui.url, prompt)
    assert not {node, sampler} & third.seconds.keys(), "nothing has changed since"


def test_to_measure_anew_takes_no_file_away(comfyui, profiles):
    submit(comfyui, auto(seed=116))
    [file] = profiles.glob("*.json")
    before = file.read_text()
    anew = auto(seed=117, profile="measure anew")
    counted, shown = submit(comfyui, anew)
    assert counted == FULL and "measured anew" in shown
    assert file.read_text() != before and list(profiles.glob("*.json")) == [file]
    assert submit(comfyui, anew)[0] == FULL, "whoever asks again gets it measured again"
    assert submit(comfyui, auto(seed=117))[0] == HALF
    workflow.set_inputs(anew, "Sampler", steps=3)
    counted, shown = submit(comfyui, anew)
    assert counted[0] < counted[1] and "cannot measure" in shown, "too short to measure, so as known"


def given(prompt: workflow.Prompt, name: str, value: str | int | float) -> workflow.Prompt:
    """The prompt with an input of its patch set by a link."""
    prompt["given"] = {"class_type": "Given", "inputs": {"text": json.dumps(value)}, "_meta": {"title": "given"}}
    prompt[workflow.node_id(prompt, workflow.PATCH)]["inputs"][name] = ["given", 0]
    return prompt


def test_what_a_link_sets_is_checked_when_it_is_known(comfyui, profiles):
    submit(comfyui, auto(seed=121))
    [file] = profiles.glob("*.json")
    assert submit(comfyui, given(auto(seed=122), "profile", file.name))[0] == HALF
    with pytest.raises(client.PromptError, match="gone.json"):
        client.submit(comfyui.url, given(auto(seed=123), "profile", "gone.json"))
    delta = auto(seed=124)
    workflow.exchange_patch(delta, "DeltaDiTPatch", {"N": 2, "b": .6, "n_cached": 4, "budget": 0.})
    counted, _ = submit(comfyui, given(delta, "n_cached", 5))
    assert counted[0] < counted[1]


def test_a_plan_that_forecasts_as_measured_follows_a_measurement(comfyui, profiles):
    text = json.dumps({"blockdance_plan": 1, "steps": 8, "forecast": "measured",
                       "reuse": [{"kind": "output", "steps": [2, 4, 6]}]})
    planned = auto(seed=118)
    workflow.exchange_patch(planned, "BlockDancePlan", {"plan": text})
    sampler = workflow.node_id(planned, "Sampler")
    client.submit(comfyui.url, planned)
    assert sampler not in client.submit(comfyui.url, planned).seconds
    write(profiles / "mine.json", json.dumps(GENERAL))
    assert sampler in client.submit(comfyui.url, planned).seconds


def test_a_run_that_measures_and_a_speed_up_of_1_draw_what_no_node_draws(comfyui, profiles):
    def without() -> workflow.Prompt:
        prompt = auto(seed=103)
        workflow.remove_patch(prompt)
        return prompt

    def pixels(prompt: workflow.Prompt) -> np.ndarray:
        [png] = client.submit(comfyui.url, prompt).images[workflow.node_id(prompt, "Save")]
        return np.asarray(Image.open(io.BytesIO(png)))
    full = pixels(without())
    assert np.array_equal(pixels(auto(seed=103)), full) and list(profiles.glob("*.json"))
    assert not np.array_equal(pixels(auto(seed=103, speedup=2.5)), full)
    assert np.array_equal(pixels(auto(seed=103, speedup=1.)), full)
    assert np.array_equal(pixels(without()), full)


def test_calibrate_writes_a_profile_that_auto_uses_at_once(comfyui, profiles):
    prompt = calibrated(seed=104)
    result = client.submit(comfyui.url, prompt)
    [file] = profiles.glob("*.json")
    *runs, last = result.texts["calibrate"]
    assert runs == [*(f"run {number} of 2; about 11 full runs in all" for number in (1, 2)),
                    "measuring how errors grow, in 6 more runs",
                    *(f"trying plans for {speedup}x" for speedup in ("1.5", "2", "3"))]
    measured = json.loads(file.read_text())
    expected = ", ".join(f"{speedup}x {plan['quality']:.0f} dB"
                         for speedup, plan in zip(("1.5", "2", "3"), measured["shown"]))
    assert last == f"2 runs measured; expect {expected}; kept as {file.name}"
    assert [len(choice) for choice in measured["proven"]] == [6, 4, 3]
    expected = f"{measured['shown'][1]['quality']:.0f} dB expected, as its runs have shown"
    assert expected in result.texts[workflow.node_id(prompt, workflow.PATCH)][-1]
    assert .3 <= measured["growth"] <= 5
    assert measured["runs"] == 2
    assert measured["settings"] == {"steps": 8, "cfg": 3., "sampler": "euler", "scheduler": "simple"}
    assert blocks(prompt, result) == HALF
    assert submit(comfyui, auto(seed=105, profile=file.name))[0] == HALF


def test_how_errors_grow_is_measured_without_noise(comfyui, profiles):
    prompt = calibrated(seed=119, runs=1, sampler_name="euler_ancestral")
    workflow.set_inputs(prompt, "Sampler", sampler_name="euler_ancestral")
    result = client.submit(comfyui.url, prompt)
    [file] = profiles.glob("*.json")
    *runs, last = result.texts["calibrate"]
    assert runs[:3] == ["run 1 of 1; about 6 full runs in all", "measuring how errors grow, in 4 more runs",
                        "run 1 of 1 by euler"]
    measured = json.loads(file.read_text())
    assert measured["quantity"] == "picture" and measured["settings"]["sampler"] == "euler_ancestral"
    assert .3 <= measured["growth"] <= 5 and file.name in last


def test_calibrate_refines_plans_that_auto_then_uses(comfyui, profiles):
    result = client.submit(comfyui.url, calibrated(seed=107, runs=1, refine=2, error_growth=False))
    [file] = profiles.glob("*.json")
    said, expected, kept = result.texts["calibrate"][-1].split("; ")[1:]
    assert result.texts["calibrate"][-1].startswith("1 run measured; ")
    assert said == "4 plans refined" and expected.count(" dB") == 5 and kept == f"kept as {file.name}"
    assert "trying plans for 4x" in result.texts["calibrate"]
    proven = json.loads(file.read_text())["proven"]
    assert [len(choice) for choice in proven] == [6, 4, 3, 2]
    counted, shown = submit(comfyui, auto(seed=108, profile=file.name))
    assert counted == HALF and "as its runs have shown" in shown


def test_calibrate_fits_weights_that_auto_then_uses(comfyui, profiles):
    """Where they are of use: weights that are far off are brought back by runs (tests/core), here they may be left."""
    prompt = calibrated(seed=125, runs=2, check_quality=False, fit_weights=True, error_growth=False)
    result = client.submit(comfyui.url, prompt)
    [file] = profiles.glob("*.json")
    kept = json.loads(file.read_text())
    fitted = [plan for plan in kept["shown"] if plan["changes"]]
    assert ("fitted" if fitted else "no weights were closer") in result.texts["calibrate"][-1]
    assert [len(choice) for choice in kept["proven"]] == [6, 4, 3]
    assert {plan["way"] for plan in kept["shown"]} == {"sample_euler, cfg 3, 3 x 48 x 48"}
    assert blocks(prompt, result) == HALF


def test_calibrate_refuses_to_judge_by_what_it_has_fitted(comfyui, profiles):
    with pytest.raises(client.PromptError, match="BlockDanceCalibrate(.|\n)*runs to 2"):
        client.submit(comfyui.url, calibrated(seed=126, runs=1, fit_weights=True))
    assert not list(profiles.glob("*.json"))


def test_a_calibration_that_is_interrupted_goes_on_where_it_was(comfyui, profiles):
    settings, ended = {"seed": 127, "runs": 1, "refine": 6, "error_growth": False}, []
    prompt_id = str(uuid.uuid4())

    def interrupt(node: str, value: int, most: int) -> None:
        """Once the first speed-up was tried, after the full run."""
        if node == "calibrate" and value == most:
            ended.append(node)
            if len(ended) == 8:
                post(comfyui, "interrupt", {"prompt_id": prompt_id})
    with pytest.raises(client.Interrupted):
        client.submit(comfyui.url, calibrated(**settings), interrupt, prompt_id)
    [file] = profiles.glob("*.json")
    stopped = json.loads(file.read_text())
    found = [len(choice) for choice in stopped["proven"]]
    assert stopped["settings"]["stopped"] == "early" and 0 < len(found) < 4 and found == [6, 4, 3, 2][:len(found)]
    result = client.submit(comfyui.url, calibrated(**settings))
    whole = json.loads(file.read_text())
    assert "trying plans for 1.5x" not in result.texts["calibrate"]
    assert [len(choice) for choice in whole["proven"]] == [6, 4, 3, 2] and "stopped" not in whole["settings"]
    assert whole["proven"][:len(found)] == stopped["proven"]


def test_calibrate_says_which_settings_measure_nothing(comfyui, profiles):
    with pytest.raises(client.PromptError, match="BlockDanceCalibrate(.|\n)*euler"):
        client.submit(comfyui.url, calibrated(seed=106, sampler_name="heun"))
    assert not list(profiles.glob("*.json"))


BAD = {
    "empty": ("", "no usable profile"),
    "cut off": (json.dumps(GENERAL)[:5000], "no usable profile"),
    "something else": ('{"nodes": []}', "its format is not 'blockdance profile 1'"),
    "nested": ("[" * 200_000, "no usable profile"),
    "too large": (" " * (17 * 2 ** 20), "too many"),
    "no text": (b"\xff\xfe\x00PK\x03\x04", "it is not text"),
    "no numbers": (json.dumps(GENERAL | {"times": "all"}), "no usable profile"),
    "no number at all": (json.dumps(GENERAL | {"times": [1, float("nan"), *GENERAL["times"][2:]]}), "times"),
    "huge numbers": (json.dumps(GENERAL | {"gram": [[1e300 * n for n in row] for row in GENERAL["gram"]]}),
                     "no usable profile"),
    "endless numbers": (json.dumps(GENERAL | {"runs": float("inf")}), "no usable profile"),
    "a count of many digits": (json.dumps(GENERAL | {"runs": "many"}).replace('"many"', "1" + "0" * 4000), "no count"),
    "no runs": (json.dumps(GENERAL | {"runs": 0}), "0 is no count"),
    "other shape": (json.dumps(GENERAL | {"gram": GENERAL["gram"][1:]}), f"{TIMES} x {TIMES} numbers"),
    "half of it": (json.dumps({key: GENERAL[key] for key in GENERAL if key != "gram"}), "'gram' is missing"),
    "other quantity": (json.dumps(GENERAL | {"quantity": "smell"}), "smell"),
}


@pytest.mark.parametrize("content, reason", BAD.values(), ids=BAD)
def test_a_file_that_is_no_profile_is_refused_before_sampling(comfyui, profiles, content, reason):
    write(profiles / "mine.json", content)
    with pytest.raises(client.PromptError, match=f"BlockDanceAuto(.|\n)*mine.json(.|\n)*{reason}"):
        client.submit(comfyui.url, auto(seed=107, profile="mine.json"))


def test_a_file_that_changes_is_read_again(comfyui, profiles):
    submit(comfyui, auto(seed=114))
    [file] = profiles.glob("*.json")
    prompt = auto(seed=114, profile=file.name)
    assert submit(comfyui, prompt)[0] == HALF
    write(file, "")
    with pytest.raises(client.PromptError, match=file.name):
        client.submit(comfyui.url, prompt)


def write(file: Path, content: str | bytes) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_a_profile_of_another_model_is_refused_by_both_names(comfyui, profiles):
    other = {"name": "Flux", "stacks": [19, 38], "parameters": 12_000_000_000, "flow": True}
    write(profiles / "flux.json", json.dumps(GENERAL | {"model": other}))
    with pytest.raises(client.PromptError, match=r"flux.json(.|\n)*Flux, 19\+38 blocks, 12 billion(.|\n)*"
                                                 f"PixArtMS, {UNKNOWN_DEPTH} blocks"):
        client.submit(comfyui.url, auto(seed=108, profile="flux.json"))


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd", "..", "", "no-such.json"])
def test_nothing_outside_of_the_folder_is_read(comfyui, profiles, name):
    write(profiles.parent / "secret.json", json.dumps(GENERAL))
    with pytest.raises(client.PromptError, match="refused(.|\n)*profile"):
        client.submit(comfyui.url, auto(seed=109, profile=name))
    assert "there is no profile" in ask(comfyui, AUTO | {"profile": name}, "BlockDanceAuto")["error"]


@pytest.mark.parametrize("content", ["", json.dumps(GENERAL)[:5000], json.dumps(GENERAL | {"runs": float("inf")})],
                         ids=["empty", "cut off", "endless numbers"])
def test_auto_passes_over_a_damaged_profile_and_measures_again(comfyui, profiles, content):
    submit(comfyui, auto(seed=110))
    [file] = profiles.glob("*.json")
    write(file, content)
    said = comfyui.log.stat().st_size
    counted, shown = submit(comfyui, auto(seed=111))
    assert counted == FULL and "the next run will be faster" in shown
    assert f"{file.name} is no usable profile" in comfyui.log.read_bytes()[said:].decode()
    assert submit(comfyui, auto(seed=112))[0] == HALF


def test_a_folder_that_cannot_be_written_costs_no_picture(comfyui, profiles):
    profiles.rmdir()
    write(profiles, "a file in its place")
    try:
        counted, shown = submit(comfyui, auto(seed=113))
    finally:
        profiles.unlink()
    assert counted == FULL and "could not be saved" in shown


@pytest.mark.parametrize("profile", ["auto", "general"])
def test_the_plan_without_a_model_is_the_general_one_and_promises_what_other_models_reach(comfyui, profile):
    """What was measured of the model is known when a run begins; only who chooses `general` goes without."""
    report = ask(comfyui, AUTO | {"profile": profile}, "BlockDanceAuto", 30, PIXART)["report"]
    kinds = [entry["reuse"] and entry["reuse"]["kind"] for entry in report["plan"]]
    assert kinds.count("output") == kinds.count(None) == 15 and kinds[0] is None
    assert "2.00x" in report["note"] and "dB expected, by what other models reach" in report["note"]


@pytest.mark.parametrize("least", [0., 60.])
def test_what_other_models_reach_is_promised_for_a_model_that_was_not_measured(comfyui, profiles, least):
    _, shown = submit(comfyui, auto(seed=119, profile="general", least_quality=least))
    assert "dB expected, by what other models reach" in shown
