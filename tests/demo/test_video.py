"""Captions of moving shapes, their videos, and the judge of first and last frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockdance.demo import checker, video

any_scene = st.integers(0, 2 ** 32).map(lambda seed: video.random_scene(np.random.default_rng(seed)))


@given(any_scene)
def test_a_caption_says_everything_about_its_scene(scene):
    assert video.parse_caption(scene.caption()) == scene


@given(any_scene, any_scene)
def test_scenes_that_differ_are_embedded_differently(one, other):
    assert (one == other) == np.array_equal(video.embed(one), video.embed(other))


def test_the_empty_caption_is_embedded_as_zeros():
    assert not video.embed(None).any()


@pytest.mark.parametrize("caption, complaint", [
    ("a red circle moving sideways from top, on navy", "motion.*moving sideways"),
    ("a red circle moving up from top, on navy", "moving up from top"),
    ("a red circle moving right from left, a blue cross staying at center, on navy", "place"),
    ("a red circle staying at top", "background"),
    ("a red circle at top, on navy", "'a red circle at top'"),
])
def test_a_caption_that_cannot_be_drawn_says_why(caption, complaint):
    with pytest.raises(ValueError, match=complaint):
        video.parse_caption(caption)


@pytest.mark.parametrize("noise", [0, .03])
def test_the_judge_finds_everything_that_was_drawn(noise):
    rng = np.random.default_rng(0)
    total = checker.Score(0, 0, 0, 0)
    for _ in range(50):
        scene = video.random_scene(rng)
        frames = video.render(scene, rng)
        total += checker.check(np.clip(frames + noise * rng.standard_normal(frames.shape), 0, 1), scene)
    assert total.placed == total.right == total.objects
    assert total.extra == 0


def test_an_object_that_moves_elsewhere_is_not_placed():
    scene = video.parse_caption("a red circle moving right from top left, a blue cross staying at bottom, on black")
    frames = video.render(scene, np.random.default_rng(1))
    other = video.parse_caption("a red circle moving down from top left, a blue cross staying at bottom, on black")
    score = checker.check(frames, other)
    assert (score.objects, score.placed, score.right, score.extra) == (2, 1, 1, 1)
    backwards = checker.check(frames[::-1], scene)
    assert (backwards.placed, backwards.extra) == (1, 1)


def test_a_wrong_shape_is_placed_but_not_right():
    frames = video.render(video.parse_caption("a red circle staying at top, on black"), np.random.default_rng(2))
    score = checker.check(frames, video.parse_caption("a red cross staying at top, on black"))
    assert (score.placed, score.right) == (1, 0)


def test_an_object_moves_steadily():
    scene = video.parse_caption("a yellow square moving down from top right, on black")
    frames = video.render(scene, np.random.default_rng(3))
    light = frames.sum((2, 3))  # (frames, rows)
    heights = (light * np.arange(video.SIZE)).sum(1) / light.sum(1)
    assert np.diff(heights).min() > 0
    assert np.ptp(np.diff(heights)) < .1
