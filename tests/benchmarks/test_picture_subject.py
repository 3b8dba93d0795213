"""Models of picture world in the benchmark: whose captions they draw, and what is known of the result."""

import re

import pytest
import torch

from blockdance.demo import picture_world
from blockdance.lab.benchmarks.arm import Arm
from blockdance.lab.benchmarks.captions import CALIBRATION, MEASURED, PictureCaption, PictureCaptions, captions_of
from blockdance.lab.benchmarks.compare import compare
from blockdance.lab.benchmarks.options import WEIGHTS, parse
from blockdance.lab.benchmarks.quality import compare as judge
from blockdance.lab.benchmarks.row import text
from blockdance.lab.benchmarks.setting import BASE, PICTURES
from blockdance.lab.benchmarks.worker import chosen_settings

FLUX = WEIGHTS / "flux_pictures.safetensors"
HALF = Arm("fewer steps", "50%", share=.5)
COLORS = tuple(picture_world.COLORS)


@pytest.fixture(scope="module")
def captions() -> PictureCaptions:
    return captions_of(FLUX)


def combination(caption: PictureCaption, names: list[str]) -> tuple[int, int, int, int]:
    """What the held-out rule is about: thing, set, kind of ground and colour."""
    things, drawn, *_, ground = caption.text.split(", ")
    kind, color = re.fullmatch(r"on (\w+) (\w+)", ground).groups()
    # the caption's thing is the first of two, and a name may itself have an "and" in it
    thing = things if things in names else next(
        name for name in sorted(names, key=len, reverse=True) if things.startswith(f"{name} {picture_world.PAIR} "))
    return (names.index(thing), picture_world.SETS.index(drawn), picture_world.GROUNDS.index(kind),
            COLORS.index(color))


@pytest.mark.parametrize("of, unseen", [(MEASURED, True), (CALIBRATION, False)])
def test_measured_captions_are_of_combinations_that_no_training_has_seen_and_calibration_ones_are_not(
        captions, of, unseen):
    some = captions.scenes(60, of)
    assert [picture_world.is_held_out(*combination(caption, captions.names)) for caption in some] == [unseen] * 60
    assert len(set(some)) == 60 and captions.scenes(7, of) == some[:7]


def test_a_model_knows_every_word_of_its_captions_and_every_caption_is_a_prompt_of_its_own(captions):
    some = captions.scenes(40, MEASURED)
    (tokens, _), = captions.conditioning([*some, None])
    assert tokens.shape == (41, picture_world.TOKENS, picture_world.CHANNELS)
    assert len(torch.unique(tokens.flatten(1), dim=0)) == 41


def test_a_picture_of_words_is_compared_but_not_checked_and_its_column_is_empty():
    full = torch.rand(3, 64, 64) * 2 - 1
    quality = judge(full * .9, full, PictureCaption("fox face, noto, large, center, on plain red"))
    assert quality.right is quality.objects is None and 15 < quality.psnr < 60 and .5 < quality.ssim < 1
    row, = compare(FLUX, [], captions=1, steps=2, fewer_steps=[HALF])
    assert row.checked == "" and row.psnr.mean > 5 and "None" not in text([row])


def test_picture_world_is_measured_at_its_own_cfg():
    assert chosen_settings(parse(["--quick"]), PICTURES) == (PICTURES,) and PICTURES.cfg == 4
    assert len(chosen_settings(parse([]), PICTURES)) > len(chosen_settings(parse([]), BASE)) == 9
