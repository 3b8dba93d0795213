"""The main job as the README's command runs it, shortened."""

import os
import re
import signal
import subprocess
import sys

import pytest
from PIL import Image

from blockdance.demo import host, sheet
from blockdance.demo.picture import Arm
from blockdance.demo.pictures_showcase import ARMS
from blockdance.demo.shapes_showcase import ARMS as SHAPES_ARMS

COMMAND = [sys.executable, "-m", "demo.run"]


def main_job(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=host.REPOSITORY, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo-output")
    return main_job("--captions", 1, "--steps", 10, "--out", out), out


def rows(done: subprocess.CompletedProcess, arms: tuple[Arm, ...]) -> list[re.Match]:
    """Of the table: what is executed, of what, the ideal speed-up, PSNR, SSIM, and what is right, of what."""
    psnr = r"-|identical|\S+ dB"
    found = [re.search(rf"^{arm.name} +[\d.]+ s +(\d+) / (\d+) +([\d.]+)x +[\d.]+x +({psnr}) +([\d.]+) +(\d+) / (\d+)$",
                       done.stdout, re.MULTILINE) for arm in arms]
    assert all(found), done.stdout
    assert all(float(row[3]) == pytest.approx(int(row[2]) / int(row[1]), abs=.006) for row in found)
    return found


def test_succeeds(job):
    done, _ = job
    assert done.returncode == 0, done.stderr


def test_prints_a_row_for_every_arm(job):
    done, _ = job
    full, *others = rows(done, ARMS)
    assert full.group(1, 2, 3, 4, 5, 7) == ("240", "240", "1.00", "-", "1.0000", "1")
    # Auto computes five and four of ten steps, as fewer steps do five and three; BlockDance skips 18 of 24 blocks in
    # three of them, the Delta methods in five
    assert [int(row[1]) for row in others] == [120, 120, 96, 72, 186, 150, 150]


def test_auto_has_measured_this_model_and_says_so_before_the_comparison(job):
    done, out = job
    said, _, rest = done.stdout.partition("drawing ")
    assert "measured this model in its first run" in said and "[1/8]" in rest
    log = (out / "comfyui.log").read_text(errors="replace")
    assert log.index("240 of 240 blocks executed") < log.index("120 of 240 blocks executed")


def test_says_how_many_pictures_there_are_how_long_they_take_and_what_came_of_it(job):
    done, out = job
    assert f"drawing {len(ARMS)} pictures, {len(ARMS)} ways of each caption, a" in done.stdout
    counted = [int(number) for number in re.findall(r"^\[(\d+)/8\] \S", done.stdout, re.MULTILINE)]
    assert counted == list(range(1, 9))
    assert "inf " not in done.stdout
    assert re.search(r"In short: Auto 2x took [\d.]+ s .*\.$", done.stdout.splitlines()[-1])


def test_writes_all_pictures_and_the_sheet(job):
    _, out = job
    assert len(list(out.glob("1-*.png"))) == len(ARMS)
    whole = Image.open(out / "sheet.png")
    assert whole.size == sheet.size(1, len(ARMS))
    assert Image.open(out / "excerpt.jpg").size == sheet.excerpt(whole).size < whole.size


def test_shapes_world_is_checked_exactly(tmp_path):
    done = main_job("--world", "shapes", "--captions", 1, "--steps", 10, "--out", tmp_path)
    full, *others = rows(done, SHAPES_ARMS)
    assert full.group(1, 2, 3, 4, 5, 6, 7) == ("280", "280", "1.00", "-", "1.0000", "1", "1")
    # Three, four and five of ten steps skip 21 of 28 blocks; the Delta methods do so at five; Auto computes 5 and 4
    # steps; then 8 and 6 of them
    assert [int(row[1]) for row in others] == [217, 196, 175, 175, 175, 140, 112, 224, 168]
    assert Image.open(tmp_path / "sheet.png").size == sheet.size(1, len(SHAPES_ARMS))


def test_a_model_of_another_world_is_refused_with_those_that_there_are():
    done = main_job("--model", "sd3")
    assert done.returncode == 2 and "flux, pixart" in done.stderr.splitlines()[-1]


def test_missing_weights_are_named_with_the_command_that_makes_them(tmp_path):
    done = main_job("--weights", tmp_path / "none", "--out", tmp_path)
    assert done.returncode == 1
    assert "no weights at" in done.stderr and "demo.train" in done.stderr


def test_a_folder_that_cannot_be_written_is_refused_before_anything_starts(tmp_path):
    (tmp_path / "file").touch()
    done = main_job("--out", tmp_path / "file")
    assert done.returncode == 1 and "starting ComfyUI" not in done.stdout
    assert "cannot write to" in done.stderr and "--out" in done.stderr


@pytest.mark.parametrize("arguments", [("--steps", "1"), ("--captions", "0"), ("--captions", "some")])
def test_a_number_that_cannot_be_is_refused_in_plain_words(arguments):
    done = main_job(*arguments)
    assert done.returncode == 2 and "_" not in done.stderr.splitlines()[-1] and "1 are" not in done.stderr


def test_a_prompt_that_fails_shows_the_servers_last_lines(tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    done = main_job("--weights", tmp_path / "broken.safetensors", "--out", tmp_path)
    assert done.returncode == 1
    assert "(Model, PictureWorldLoader) failed" in done.stderr
    assert "The server's last lines:\n  | " in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C cannot be sent to a single process on Windows")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_is_interrupted_cleanly(number, code, tmp_path):
    with subprocess.Popen(
            [*COMMAND, "--steps", "8", "--out", tmp_path], cwd=host.REPOSITORY, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            # A shell that started the tests in the background has them ignore Ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) as job:
        for line in job.stdout:
            if line.startswith("[ 2/"):
                job.send_signal(number)
                break
        job.stdout.read()
        told = job.stderr.read()
    assert job.returncode == code
    drawn = [path.name for path in tmp_path.glob("1-*.png")]
    assert {"1-full.png", "1-auto-2x.png"} <= set(drawn), "what is drawn stays"
    assert f"{len(drawn)}, in {tmp_path}" in told
    server = re.search(r"127\.0\.0\.1:\d+", (tmp_path / "comfyui.log").read_text())[0]
    listening = subprocess.run(
        [sys.executable, "-c", "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)",
         *server.split(":")], capture_output=True)
    assert listening.returncode != 0
