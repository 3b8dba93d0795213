"""What docs/api.md has to copy: its workflow, its script, its options and exit codes."""

import argparse
import json
import re
import subprocess
import sys

import pytest
from PIL import Image

from blockdance.demo import workflow
from blockdance.tests.documents import fenced, text
from blockdance.tests.server.test_timeline import ask
from blockdance.tests.server.test_workflows import name_missing_files
from lab.headless import cli, client, errors

PAGE = text("docs/api.md")


def block(language: str) -> str:
    only, = fenced("docs/api.md", language)
    return only


def test_the_workflow_lacks_only_the_weights(comfyui):
    prompt = json.loads(block("json"))
    name_missing_files(prompt)
    with pytest.raises(client.Refused) as refusal:
        client.submit(comfyui.url, prompt)
    reason, *problems = str(refusal.value).splitlines()
    assert sorted(re.search(r"input (\w+): Value not in list", problem)[1] for problem in problems) == [
        "clip_name", "unet_name", "vae_name"], problems


def test_the_script_saves_the_picture_and_reads_the_report(comfyui, tmp_path):
    prompt = workflow.load()
    prompt["11"] = json.loads(block("json"))["11"]
    prompt["11"]["inputs"] |= {"model": ["2", 0], "latent": ["6", 0]}
    workflow.set_inputs(prompt, "Sampler", steps=8, seed=99)
    (tmp_path / "workflow.json").write_text(json.dumps(prompt))
    (tmp_path / "run.py").write_text(block("python"))
    done = subprocess.run([sys.executable, "run.py", comfyui.url, "workflow.json"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    *pictures, report = sorted(done.stdout.splitlines(), key=lambda line: " of " in line)
    assert re.fullmatch(r"1\d\d of 224 blocks in [\d.]+ s", report)
    assert (48, 48) in [Image.open(tmp_path / picture).size for picture in pictures] and len(pictures) == 2


def test_the_script_says_why_a_workflow_was_refused(comfyui, tmp_path):
    (tmp_path / "workflow.json").write_text(block("json"))
    (tmp_path / "run.py").write_text(block("python"))
    done = subprocess.run([sys.executable, "run.py", comfyui.url, "workflow.json"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 1 and "value_not_in_list" in done.stderr


def test_every_key_of_the_report_is_explained(comfyui):
    explained = PAGE.split("## The report as JSON")[1]
    assert not [key for key in ask(comfyui)["report"] if f"`{key}`" not in explained]


def test_every_exit_code_is_on_the_page_and_in_the_help():
    table = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE.split("### Exit codes")[1].split("## HTTP")[0], re.MULTILINE)
    assert re.findall(r"^  (\d+)  (.*)$", cli.EXIT_CODES, re.MULTILINE) == table
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.HeadlessError]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.HeadlessError)}
    assert codes == {1, 2, 3, 4, 5, 6, 130} and codes < {int(code) for code, _ in table}


def test_every_option_is_on_the_page():
    actions, = (action for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction))
    options = {name for parser in actions.choices.values() for action in parser._actions
               for name in action.option_strings if name.startswith("--")} - {"--help"}
    assert options == set(re.findall(r"^\| `(--\w+)", PAGE, re.MULTILINE))
