"""The table, the sheet and the closing words, of pictures that are made up here."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from blockdance.demo import closing, sheet, table, world
from blockdance.demo.picture import Arm, Picture
from blockdance.demo.progress import Progress, about
from blockdance.demo.shapes_showcase import ARMS
from blockdance.demo.shapes_showcase import SHOWCASE as SHAPES

SCENE = world.Scene(0, (world.Object(0, 0, 0),))
FULL_SECONDS = (2.8, 3.4, 2.9)


def picture(arm: Arm, seconds: float, shift: int) -> Picture:
    """Off by so much of 255 from the full one."""
    pixels = world.render(SCENE, np.random.default_rng(0)).clip(0, .9).astype(np.float32) + np.float32(shift / 255)
    executed = None if arm.node is None else (420, 840)
    return Picture(arm, SCENE.caption(), b"", pixels, seconds, executed, arm.steps(30))


@pytest.fixture
def pictures() -> dict[Arm, list[Picture]]:
    """Of which the first by each method is the full one, by Delta-DiT all are, and others differ by one of 255."""
    return {arm: [picture(arm, seconds * (1. if number == 0 else .6 + .1 * turn),
                          0 if number == 0 or arm.name == "Delta-DiT" or turn == 0 else 1)
                  for turn, seconds in enumerate(FULL_SECONDS)] for number, arm in enumerate(ARMS)}


def test_seconds_and_measured_speed_are_one_ratio(pictures):
    full, *others = table.text(table.rows(pictures, SHAPES), SHAPES).splitlines()[1:]
    seconds = float(re.search(r"([\d.]+) s", full)[1])
    assert "1.00x" in full
    for line in others:
        own, measured = float(re.search(r"([\d.]+) s", line)[1]), float(re.findall(r"([\d.]+)x", line)[-1])
        assert measured == pytest.approx(seconds / own, rel=.01)


def test_nothing_is_infinitely_close(pictures):
    shown = table.text(table.rows(pictures, SHAPES), SHAPES)
    assert "inf" not in shown
    full, *others = shown.splitlines()[1:]
    assert " dB" not in full and "identical" not in full, "it is what the others are compared with"
    [same] = [line for line in others if line.startswith("Delta-DiT")]
    assert " identical " in same and " dB" not in same
    assert all("48.1 dB" in line and line.endswith("1 identical") for line in others if line != same)
    assert sheet.sheet(pictures, table.rows(pictures, SHAPES)).size == sheet.size(3, len(ARMS))


def test_differences_are_black_where_there_are_none_and_amplified_elsewhere():
    reference = np.full((4, 4, 3), .5, np.float32)
    picture = reference.copy()
    picture[0, 0], picture[1, 1] = .5 - .02, 1.
    shown = sheet.difference(picture, reference)
    assert np.allclose(shown[0, 0], .02 * sheet.AMPLIFIED) and np.allclose(shown[1, 1], 1) and not shown[2:].any()


def test_the_last_words_are_a_sentence_with_the_tables_numbers(pictures):
    rows = table.rows(pictures, SHAPES)
    auto = next(row for row in rows if row.arm.name == closing.SHOWN)
    words = closing.sentence(rows, SHAPES)
    for number in (f"{rows[0].seconds:.2f} s", f"{auto.seconds:.2f} s", f"{auto.speedup:.2f}", f"{auto.psnr:.1f} dB",
                   f"{auto.verdict.right} of {auto.verdict.of} "):
        assert number in words
    assert words.endswith(".") and "inf" not in words
    same = closing.sentence([replace(row, psnr=math.inf) if row is auto else row for row in rows], SHAPES)
    assert "identical to the full ones" in same and "inf" not in same


def test_the_last_words_compare_with_fewer_steps_of_nearly_the_same_cost(pictures):
    rows = table.rows(pictures, SHAPES)
    nearest = replace(rows[-1], steps=15, executed=420.)
    assert "15 instead of 30 steps" in closing.sentence([*rows, nearest], SHAPES)


def test_progress_says_how_many_and_how_long():
    progress = Progress(80, 3.)
    assert "[ 1/80]" in progress.label(1) and "about 4 min left" in progress.label(1)
    for _ in range(80):
        progress.drawn()
    assert "[80/80]" in progress.label() and "done" in progress.label() and progress.seconds_left == 0
    assert [about(seconds) for seconds in (3, 42, 100, 1000)] == [
        "a few seconds", "about 40 s", "about 2 min", "about 17 min"]
