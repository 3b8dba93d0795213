"""`python -m lab.headless` against a running server: what it saves, measures and refuses, and each exit code."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from PIL import Image

from blockdance.demo import host, server, workflow
from blockdance.tests.server.test_pack import get
from blockdance.tests.server.test_workflows import TWINS, read
from lab.headless import bypass, client
from lab.headless.compared import compared
from lab.headless.graph import Prompt, title
from lab.headless.node_types import node_types

TITLES = {"video": ("CreateVideo", {"images": ["8", 0], "fps": 8.}),
          "Clip": ("SaveVideo", {"video": ["video", 0], "filename_prefix": "clip", "format": "auto", "codec": "auto"}),
          "Report": ("BlockDanceReport", {"model": ["2", 0], "latent": ["6", 0], "theme": "dark"})}


def prompt(**nodes: tuple[str, dict]) -> Prompt:
    """The demo's, of 8 steps, with more nodes: id and title -> class and inputs."""
    result = workflow.load()
    workflow.set_inputs(result, "Sampler", steps=8)
    return result | {title: {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}
                     for title, (kind, inputs) in nodes.items()}


@pytest.fixture
def headless(comfyui, tmp_path):
    """Runs the command line with a prompt and arguments; outputs go to tmp_path / "out"."""
    def run(wanted: Prompt, *arguments: str, action: str = "run", url: str = comfyui.url):
        done = subprocess.run(command(tmp_path, wanted, *arguments, action=action, url=url), cwd=host.REPOSITORY,
                              capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout, done.stderr
    return run


def command(folder: Path, wanted: Prompt, *arguments: str, url: str, action: str = "run") -> list[str]:
    file = folder / "workflow.json"
    file.write_text(json.dumps(wanted))
    out = ("--out", str(folder / "out")) if action == "run" else ()
    return [sys.executable, "-m", "lab.headless", action, str(file), "--server", url, *out, *arguments]


def test_saves_pictures_videos_and_reports(headless, tmp_path):
    code, printed, told = headless(prompt(**TITLES), "--set", "BlockDance Patch.N=3",
                                   "--set", "Caption.caption=a red circle at top, a blue cross at left, on navy")
    assert code == 0, told
    files = sorted(Path(line) for line in printed.splitlines())
    assert all(file.parent == tmp_path / "out" and file.stat().st_size for file in files)
    assert sorted(file.suffix for file in files) == [".json", ".json", ".mp4", ".png", ".png", ".txt"]
    report = json.loads((tmp_path / "out" / "Report.json").read_text())
    assert report["method"] == "BlockDance N=3" and report["steps"] == 8
    assert f"{report['executed_blocks']} of 224 blocks executed" in told
    assert (tmp_path / "out" / "Report.txt").read_text().startswith("BlockDance N=3 on PixArtMS")


def test_lists_what_can_be_set_and_to_what(headless):
    code, printed, _ = headless(prompt(), action="inputs")
    assert code == 0
    words = " ".join(printed.split())
    assert "node 2 (BlockDance Patch, BlockDancePatch) N = 2 1 to 10 block_index = -1 " in words
    assert "sampler_name = euler one of euler, " in words and "scheduler = simple one of simple, " in words
    assert max(map(len, printed.splitlines())) <= 120
    assert "  model = " not in printed and "offload = not in the file, so its default, auto one of auto, " in words


@pytest.mark.parametrize("how, what, shown", [("-m", "lab.headless", "\\u72d0"), ("-I", "lab/headless", "\u72d0")])
def test_starts_in_an_isolated_python_and_where_output_has_few_characters(comfyui, tmp_path, how, what, shown):
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(prompt(**{"\u72d0": ("SaveImage", {"images": ["8", 0], "filename_prefix": "a"})})))
    done = subprocess.run([sys.executable, how, what, "inputs", str(file), "--server", comfyui.url],
                          cwd=host.REPOSITORY, capture_output=True, timeout=300,
                          env=os.environ | {"PYTHONIOENCODING": "cp1252"})  # which an isolated Python does not read
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout.decode()


def test_compares_with_the_workflow_without_the_pack(headless, tmp_path):
    wanted = prompt(**TITLES, **{"Report map": ("SaveImage", {"images": ["Report", 2], "filename_prefix": "map"})})
    code, printed, told = headless(wanted, "--compare", "--rounds", "2", "--set", "Sampler.steps=5")
    assert code == 0, told
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        full, given = csv.DictReader(file)
    assert (full["run"], full["psnr_db"], full["ssim"], full["speedup"]) == ("without BlockDance", "inf", "1", "1.0000")
    assert given["run"] == "as given" and 10 < float(given["psnr_db"]) < 100 and 0 < float(given["ssim"]) < 1
    assert float(full["sampling_seconds"]) > 0 and float(given["sampling_seconds"]) > 0
    assert told.count("blocks executed") == 3  # the warm-up and two rounds: every run has sampled, none was cached
    assert given["run"] in printed
    without, patched = (sorted(path.suffix for path in (tmp_path / "out" / name).iterdir())
                        for name in ("without_BlockDance", "as_given"))
    assert without == [".mp4", ".png"] and patched == [".json", ".json", ".mp4", ".png", ".png", ".png", ".txt"]


@pytest.mark.parametrize("name", TWINS)
def test_of_the_packs_own_workflows_only_what_the_patch_draws_is_compared(comfyui, name):
    wanted = read(TWINS[name])
    types = node_types(comfyui.url, wanted)
    plain, samplers = bypass.bypass(wanted, types), bypass.samplers(wanted, types)
    shown = compared(plain, samplers, types)
    saving = {node for node, value in plain.items() if value["class_type"].startswith("Save")}
    assert shown and (saving.issuperset(shown) or not saving)
    assert not any("baseline" in title(plain, node) for node in shown)


def test_a_workflow_that_compares_with_the_baseline_is_not_identical_to_itself(headless, tmp_path):
    wanted = prompt()
    model = wanted["2"]["inputs"]["model"]
    wanted["full"] = {"class_type": "KSampler", "inputs": wanted["6"]["inputs"] | {"model": model}}
    wanted["picture"] = {"class_type": wanted["8"]["class_type"], "inputs": wanted["8"]["inputs"] | {
        key: ["full", 0] for key, value in wanted["8"]["inputs"].items() if value == ["6", 0]}}
    wanted["comparer"] = {"class_type": "ImageCompare", "inputs": {
        "image_a": ["picture", 0], "image_b": ["8", 0], "compare_view": "slide"}}
    code, printed, told = headless(wanted, "--compare", "--rounds", "1")
    assert code == 0, told
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        _, given = csv.DictReader(file)
    assert given["psnr_db"] != "inf" and (given["pictures"], given["identical"]) == ("1", "0")


def test_reuse_turned_off_is_identical_in_a_sweep(headless, tmp_path):
    arguments = ["--sweep", "BlockDance Patch.N=1,2", "--sweep", "BlockDancePatch.start=0.2,0.4", "--rounds", "1"]
    code, _, told = headless(prompt(), *arguments, "--set", "Sampler.steps=5")
    assert code == 0, told
    with (tmp_path / "out" / "sweep.csv").open(newline="") as file:
        full, *rows = csv.DictReader(file)
    assert [(row["BlockDance Patch.N"], row["BlockDancePatch.start"]) for row in rows] == [
        ("1", "0.2"), ("1", "0.4"), ("2", "0.2"), ("2", "0.4")]
    assert [row["psnr_db"] == "inf" for row in rows] == [True, True, False, False]
    assert any(row["pareto"] == "1" for row in (full, *rows))
    assert Image.open(tmp_path / "out" / "sweep.png").width > 500
    assert len(list((tmp_path / "out").glob("N=*/*.png"))) == 4


def test_a_seed_is_compared_with_the_same_seed(headless, tmp_path):
    arguments = ["--sweep", "Sampler.seed=1,2", "--sweep", "BlockDance Patch.N=1,2", "--rounds", "1"]
    code, _, told = headless(prompt(), *arguments, "--set", "Sampler.steps=5")
    assert code == 0, told
    with (tmp_path / "out" / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    references = [f"without BlockDance, seed={seed}" for seed in (1, 2)]
    assert [row["reference"] for row in rows] == [reference for reference in references for _ in range(3)]
    assert [row["run"] for row in rows[::3]] == references
    assert [(row["Sampler.seed"], row["BlockDance Patch.N"]) for row in rows[3:]] == [("2", ""), ("2", "1"), ("2", "2")]
    assert [row["psnr_db"] == "inf" for row in rows] == [True, True, False] * 2
    chart = Image.open(tmp_path / "out" / "sweep.png")
    assert chart.height > 1.2 * chart.width, "one for each seed"


def test_accelerates_by_any_number(headless):
    plain = prompt()
    workflow.remove_patch(plain)
    code, _, told = headless(plain, "--accelerate", "3", "--set", "Sampler.steps=12", "--set",
                             "BlockDance Auto.least_quality=0")
    assert code == 0 and "(BlockDance Auto, BlockDanceAuto): 8 of 12 evaluations reused" in told, told


def test_a_speed_up_that_is_set_counts_in_a_workflow_that_has_a_word_for_quality(headless):
    worded = prompt()
    workflow.exchange_patch(worded, "BlockDanceAuto", {
        "speedup": 2., "profile": "general", "least_quality": 30., "quality": "fast"})
    settings = "--set", "Sampler.steps=12", "--set", "BlockDance Patch.least_quality=0"
    code, _, told = headless(worded, *settings, "--set", "BlockDance Patch.speedup=1.5")
    assert code == 0 and "4 of 12 evaluations reused" in told and "quality=custom" in told, told


def test_accelerates_without_editing_the_workflow(headless):
    plain = prompt()
    workflow.remove_patch(plain)
    code, printed, told = headless(plain, "--accelerate", "2", "--set", "Sampler.steps=12", "--set",
                                   "BlockDance Auto.least_quality=0")
    assert code == 0 and printed, told
    assert "(BlockDance Auto, BlockDanceAuto): 6 of 12 evaluations reused" in told
    code, _, told = headless(plain, "--accelerate", "2", "--compare", "--rounds", "1", "--set", "Sampler.steps=12")
    assert code == 0, told
    code, _, told = headless(prompt(), "--accelerate", "2")
    assert code == 2 and "BlockDance Patch" in told and "--set" in told
    code, _, told = headless(plain, "--accelerate", "9")
    assert code == 5 and "input speedup: Value 9" in told
    code, _, told = headless(plain, "--accelerate", "fast")
    assert code == 2 and "'fast' is no number" in told


def test_calibrates_without_editing_the_workflow(headless, comfyui):
    """Nothing is drawn but what is measured, and the profile's name is told."""
    plain = prompt()
    workflow.remove_patch(plain)
    code, printed, told = headless(plain, "--runs", "1", "--set", "BlockDance Calibrate.error_growth=false",
                                   action="calibrate")
    assert code == 0 and not printed and "1 run measured; " in told, told
    name = told.split("kept as ")[1].split()[0]
    file = comfyui.log.parent / "models" / "blockdance" / name
    measured = json.loads(file.read_text())
    file.unlink()
    sampler = plain[workflow.node_id(plain, "Sampler")]["inputs"]
    assert measured["settings"] == {key.removesuffix("_name"): sampler[key]
                                    for key in ("steps", "cfg", "sampler_name", "scheduler")}
    del plain[workflow.node_id(plain, "Sampler")]["inputs"]["cfg"]
    code, _, told = headless(plain, action="calibrate")
    assert code == 2 and "as a KSampler does" in told


def test_a_sweep_over_two_servers_measures_everything_beside_a_reference_of_the_same_server(
        headless, comfyui, base, tmp_path):
    with server.comfyui_server(host.current(), base, tmp_path / "second.log", ("--cache-classic",)) as second:
        arguments = ["--server", second.url, "--sweep", "BlockDance Patch.N=1,2,3", "--set", "Sampler.steps=5"]
        code, printed, told = headless(prompt(), *arguments, "--rounds", "1")
        assert code == 0, told
        for action in ((), ("--compare",)):
            code, _, told = headless(prompt(), "--server", second.url, *action)
            assert code == 2 and "only a --sweep" in told
    with (tmp_path / "out" / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["BlockDance Patch.N"] for row in rows) == ["", "", "1", "2", "3"]
    ran = {row["server"] for row in rows}
    assert ran == {comfyui.url, second.url}
    assert {row["server"] for row in rows if row["run"] == row["reference"]} == ran
    assert [row["psnr_db"] for row in rows if row["BlockDance Patch.N"] in ("", "1")] == ["inf"] * 3
    assert Image.open(tmp_path / "out" / "sweep.png").width > 500
    assert len(list((tmp_path / "out").glob("*/*.png"))) == 5 and second.url.split("//")[1] in printed
    code, _, told = headless(prompt(), *arguments)  # the second server is gone
    assert code == 3 and second.url in told


def test_what_holds_back_one_output_does_not_cost_the_others(headless, tmp_path):
    wanted = prompt(blocked=("BlockedImage", {"image": ["8", 0]}), lost=("LostFile", {"image": ["8", 0]}),
                    held=("SaveImage", {"images": ["blocked", 0], "filename_prefix": "held"}))
    code, printed, told = headless(wanted)
    assert code == 6 and "some outputs are missing" in told and "Traceback" not in told
    assert "node held (held, SaveImage) and what depends on it did not run: Execution Blocked: not today" in told
    assert "node lost (lost, LostFile): the server does not give lost.png: 404" in told
    picture, = printed.splitlines()
    assert Path(picture).stat().st_size


def missing_node() -> Prompt:
    return prompt() | {"8": {"class_type": "NoSuchNode", "inputs": {}, "_meta": {"title": "Decode"}}}


@pytest.mark.parametrize("wanted, arguments, code, messages", [
    (prompt(), ("--set", "Sampler.speed=3"), 2, ["no such input; node 6 (Sampler, KSampler) has seed, steps, cfg"]),
    (prompt(), ("--set", "KSampler.scheduler=odd"), 2, ["cannot be 'odd', only simple,"]),
    (prompt(), ("--set", "KSampler.scheduler=simpel"), 2, ["did you mean simple?"]),
    (prompt(), ("--set", "Smapler.steps=3"), 2, ["no such node", "did you mean Sampler.steps?"]),
    (prompt(), ("--swep", "Sampler.steps=3"), 2, ["there is no option --swep", "did you mean --sweep?"]),
    (prompt(), ("--rounds", "0"), 2, ["'0' is no whole number from 1 on"]),
    (prompt(), ("--rounds", "many"), 2, ["'many' is no whole number from 1 on"]),
    ({"nodes": [], "links": []}, (), 2, ["File > Export (API)"]),
    (missing_node(), (), 4, ["node 8 (Decode, NoSuchNode)", "restart ComfyUI"]),
    (prompt(), ("--set", "2.N=0", "--set", "6.steps=0"), 5,
     ["node 2 (BlockDance Patch, BlockDancePatch), input N: Value 0",
      "node 6 (Sampler, KSampler), input steps: Value 0"]),
    (prompt(), ("--set", "Caption.caption=a purple dog"), 6,
     ["node 3 (Caption, ShapesWorldTextEncode) failed: ValueError: cannot read 'a purple dog'", "world.py"]),
])
def test_errors_are_told_apart_by_the_exit_code(headless, wanted, arguments, code, messages):
    done, printed, told = headless(wanted, *arguments)
    assert done == code, told
    assert all(message in told for message in messages) and not printed
    assert "cli.py" not in told, "no traceback of ours"


def test_nothing_to_compare_is_an_error(headless):
    plain = prompt()
    workflow.remove_patch(plain)
    code, _, told = headless(plain, "--compare")
    assert code == 2 and "no node of BlockDance" in told


def test_no_server(headless, comfyui):
    code, _, told = headless(prompt(), url=f"127.0.0.1:{server.free_port()}")
    assert code == 3 and "no server answers at http://127.0.0.1" in told and "start ComfyUI" in told
    code, _, told = headless(prompt(), url=f"{comfyui.url}/nowhere")
    assert code == 3 and "does not answer as ComfyUI does: 404" in told


def test_a_folder_that_cannot_be_written(headless, tmp_path):
    (tmp_path / "out").write_text("a file")
    nowhere = f"127.0.0.1:{server.free_port()}"  # so that it must be said before anybody is asked
    for arguments in ((), ("--compare",), ("--sweep", "Sampler.steps=4,5")):
        code, _, told = headless(prompt(), *arguments, url=nowhere)
        assert code == 1 and "cannot write" in told and "--out" in told


def post(comfyui, path: str, body: dict) -> None:
    request = Request(f"{comfyui.url}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with build_opener(ProxyHandler({})).open(request, timeout=30):
        pass


def queue(comfyui) -> tuple[list[str], list[str]]:
    """The ids of prompts that run, and of those that wait."""
    found = json.loads(get(comfyui, "/queue"))
    return tuple([entry[1] for entry in found[name]] for name in ("queue_running", "queue_pending"))


def wait_for(condition, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(.1)
    return bool(met)


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C cannot be sent to a single process on Windows")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_stops_the_prompt_on_the_server(comfyui, tmp_path, number, code):
    endless = command(tmp_path, prompt(), "--set", "Sampler.steps=2000", url=comfyui.url)
    assert wait_for(lambda: queue(comfyui) == ([], [])), "a prompt of another test still runs"
    with subprocess.Popen(
            endless, cwd=host.REPOSITORY, stderr=subprocess.PIPE, text=True,
            # A shell that started the tests in the background has them ignore Ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) as job:
        assert wait_for(lambda: queue(comfyui)[0])
        job.send_signal(number)
        try:
            _, told = job.communicate(timeout=120)
        finally:
            job.kill()
    assert job.returncode == code and "Traceback" not in told
    assert wait_for(lambda: queue(comfyui) == ([], []))


def submit_aside(comfyui, **inputs) -> tuple[threading.Thread, list[Exception]]:
    """Submit in another thread; the error that it ends with is listed."""
    errors: list[Exception] = []
    wanted = prompt()
    workflow.set_inputs(wanted, "Sampler", **inputs)

    def submit() -> None:
        try:
            client.submit(comfyui.url, wanted)
        except client.PromptError as error:
            errors.append(error)
    thread = threading.Thread(target=submit)
    thread.start()
    return thread, errors


def test_a_prompt_that_others_stop_or_take_out_of_the_queue(comfyui, monkeypatch):
    monkeypatch.setattr(client, "POLL", .5)
    running, stopped = submit_aside(comfyui, steps=2000)
    assert wait_for(lambda: len(queue(comfyui)[0]) == 1)
    waiting, removed = submit_aside(comfyui, steps=8, seed=50)
    assert wait_for(lambda: len(queue(comfyui)[1]) == 1)
    post(comfyui, "queue", {"delete": queue(comfyui)[1]})
    waiting.join(30)
    assert "no longer in the server's queue" in str(removed[0])
    post(comfyui, "interrupt", {"prompt_id": queue(comfyui)[0][0]})
    running.join(30)
    assert "interrupted at node 6 (Sampler, KSampler)" in str(stopped[0])
    assert isinstance(stopped[0], client.Interrupted) and isinstance(removed[0], client.Interrupted)


def test_a_prompt_of_which_only_a_part_is_valid_is_not_run(comfyui):
    wanted = prompt(lost=("SaveImage", {"images": ["8", 0]}))  # has no filename_prefix
    with pytest.raises(client.Refused, match=r"lost \(lost, SaveImage\).* filename_prefix"):
        client.submit(comfyui.url, wanted)
    assert wait_for(lambda: queue(comfyui) == ([], []))
