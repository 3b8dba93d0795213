"""What the main job shows of picture world."""

import numpy as np
import pytest

from blockdance.demo import model, picture_world, pictures_showcase, recognizer
from blockdance.demo.options import DEMO, WORLDS
from blockdance.demo.pictures_showcase import CAPTIONS, MEASURED, SHOWCASE


@pytest.mark.parametrize("caption", [*CAPTIONS, MEASURED])
def test_what_is_shown_was_never_trained_on(caption):
    name, one_set, *_, ground = caption.split(", ")
    _, kind, color = ground.split()
    assert picture_world.is_held_out(
        recognizer.load().names.index(name), picture_world.SETS.index(one_set), picture_world.GROUNDS.index(kind),
        list(picture_world.COLORS).index(color))


def test_auto_measures_with_what_is_not_compared():
    assert SHOWCASE.measuring.caption not in CAPTIONS
    profiles = [dict(arm.inputs)["profile"] for arm in (*SHOWCASE.arms, SHOWCASE.measuring.arm)
                if arm.node == "BlockDanceAuto"]
    assert profiles == ["auto"] * 3


@pytest.mark.parametrize("weights", WORLDS["pictures"].models.values())
def test_every_model_knows_the_words(weights):
    encoder = model.load_text_encoder(DEMO / "weights" / weights)
    for caption in (*CAPTIONS, MEASURED):
        assert encoder.tokens(caption).any()


def test_there_are_as_many_captions_as_are_asked_for():
    assert len(pictures_showcase.captions(2)) == 2
    assert len(pictures_showcase.captions(3 * len(CAPTIONS))) == 3 * len(CAPTIONS)


def test_the_judge_does_not_see_things_where_there_are_none():
    verdicts = [pictures_showcase.judge(caption, np.full((64, 64, 3), .5, np.float32)) for caption in CAPTIONS]
    assert all(verdict.of == 1 for verdict in verdicts)
    assert sum(verdict.right for verdict in verdicts) < len(CAPTIONS) / 2
