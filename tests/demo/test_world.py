"""Captions, and the judge that reads them off pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockdance.demo import checker, world


@st.composite
def any_scene(draw) -> world.Scene:
    cells = draw(st.lists(st.integers(0, 8), min_size=1, max_size=world.MAX_OBJECTS, unique=True))
    objects = (world.Object(draw(st.integers(0, 3)), draw(st.integers(0, 5)), cell) for cell in cells)
    return world.Scene(draw(st.integers(0, 3)), tuple(objects))


@given(any_scene())
def test_a_caption_says_everything_about_its_scene(scene):
    assert world.parse_caption(scene.caption()) == scene


@given(any_scene(), any_scene())
def test_scenes_that_differ_are_embedded_differently(one, other):
    assert (one == other) == np.array_equal(world.embed(one), world.embed(other))


def test_the_empty_caption_is_embedded_as_zeros():
    assert not world.embed(None).any()


@pytest.mark.parametrize("caption, complaint", [
    ("a purple circle at top, on navy", "color.*purple"),
    ("a red circle at top", "background"),
    ("on navy", "0 objects"),
    ("a red circle at top, a blue cross at top, on navy", "place"),
    ("red", "'red'"),
])
def test_a_caption_that_cannot_be_drawn_says_why(caption, complaint):
    with pytest.raises(ValueError, match=complaint):
        world.parse_caption(caption)


@pytest.mark.parametrize("noise", [0, .03])
def test_the_judge_finds_everything_that_was_drawn(noise):
    rng = np.random.default_rng(0)
    total = checker.Score(0, 0, 0, 0)
    for _ in range(100):
        scene = world.random_scene(rng)
        picture = world.render(scene, rng)
        total += checker.check(np.clip(picture + noise * rng.standard_normal(picture.shape), 0, 1), scene)
    assert total.placed == total.right == total.objects
    assert total.extra == 0


def wrong_color(scene: world.Scene) -> world.Scene:
    objects = (world.Object(o.shape, (o.color + 1) % len(world.COLORS), o.cell) for o in scene.objects)
    return world.Scene(scene.background, tuple(objects))


def wrong_background(scene: world.Scene) -> world.Scene:
    return world.Scene((scene.background + 1) % len(world.BACKGROUNDS), scene.objects)


@pytest.mark.parametrize("spoil", [wrong_color, wrong_background])
def test_the_judge_gives_nothing_for_another_caption(spoil):
    rng = np.random.default_rng(1)
    for _ in range(50):
        scene = world.random_scene(rng)
        score = checker.check(world.render(scene, rng), spoil(scene))
        assert score.placed == score.right == 0


def test_a_wrong_shape_is_placed_but_not_right():
    scene = world.parse_caption("a red circle at top, on black")
    score = checker.check(
        world.render(scene, np.random.default_rng(2)), world.parse_caption("a red cross at top, on black"))
    assert (score.placed, score.right) == (1, 0)
