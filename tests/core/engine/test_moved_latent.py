"""Where a pass takes its input from, and whether evaluations go on where they were: told from the numbers alone."""

import pytest
import torch

from blockdance.blockdance_core.engine.moved_latent import Continuity, Places

SHAPES = [(4, 24, 32), (16, 5, 12, 20), (1, 4000)]


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def flags(*inputs: torch.Tensor, latents: list[torch.Tensor]) -> list[bool | None]:
    """What is found of one pass's inputs, evaluation by evaluation."""
    places = Places()
    found = [places.changed("pass", x, latent) for x, latent in zip(inputs, latents, strict=True)]
    return [None if flag is None else bool(flag) for flag in found]


def twice(crop, *, then=None, batch: int = 2, shape: tuple[int, ...] = SHAPES[0]) -> bool | None:
    """A part of a latent, cond and uncond together, and the same or another part of the next latent."""
    latents = [seeded(batch, *shape, seed=seed) for seed in (1, 2)]
    inputs = [torch.cat([part(latent)] * 2) for part, latent in zip((crop, then or crop), latents)]
    return flags(*inputs, latents=latents)[1]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_of_the_latent_stays_where_it_is(shape):
    assert twice(lambda latent: latent, shape=shape) is False


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("offset", [1, 8])
def test_a_roll_is_known_again_and_another_one_is_not_taken_for_it(shape, offset):
    def rolled(by):
        return lambda latent: torch.roll(latent, by, -1)
    assert twice(rolled(offset), shape=shape) is False
    assert twice(rolled(offset), then=rolled(offset + 1), shape=shape) is True
    assert twice(rolled(0), then=rolled(offset), shape=shape) is True


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_tile_is_known_again_and_another_one_is_not_taken_for_it(dtype):
    def tile(top, left):
        return lambda latent: latent[..., top:top + 8, left:left + 8].to(dtype)
    assert twice(tile(4, 6)) is False
    assert twice(tile(4, 6), then=tile(4, 7)) is True
    assert twice(lambda latent: latent[..., ::2, ::2], then=lambda latent: latent[..., 1::2, ::2]) is True


def test_frames_that_change_places():
    assert twice(lambda latent: latent[:3], then=lambda latent: latent[3:], batch=6) is True
    assert twice(lambda latent: latent[2:5], batch=6) is False


def test_pictures_that_begin_alike_stay_where_they_are():
    """One noise for all pictures of a batch, whose prompts make them differ; whole or as tiles."""
    latents = [seeded(1, 4, 16, 16).expand(3, -1, -1, -1), seeded(3, 4, 16, 16, seed=1)]
    assert flags(*latents, latents=latents) == [None, False]
    assert flags(*(latent[..., 4:12, 4:12] for latent in latents), latents=latents) == [None, False]


def test_a_part_that_is_pasted_in_is_no_other_place():
    latents = [seeded(1, 4, 16, 16, seed=seed) for seed in (1, 2)]
    inputs = [latent.clone() for latent in latents]
    inputs[1][..., :6] = 0.
    assert flags(*inputs, latents=latents) == [None, False]


def test_an_input_that_is_not_of_the_latent_tells_nothing():
    latents = [seeded(1, 4, 16, 16, seed=seed) for seed in (1, 2)]
    assert not any(flags(*(latent * 2 + 1 for latent in latents), latents=latents))
    assert flags(*(latent[:, :3] for latent in latents), latents=latents) == [None, None]


def test_a_latent_that_grows_under_a_tile_is_another_place():
    latents = [seeded(1, 4, 16, 16), seeded(1, 4, 24, 24)]
    assert flags(*(latent[..., :8, :8] for latent in latents), latents=latents) == [None, True]


def picture(seed: int, size: int = 64) -> torch.Tensor:
    """Smooth, with edges: (1, 4, H, W)."""
    small = seeded(1, 4, size // 8, size // 8, seed=seed)
    return torch.nn.functional.interpolate(small, size=size, mode="bilinear") + small.mean()


def latent(time: float, seed: int = 1, fresh: float = 0., at: int = 0) -> torch.Tensor:
    """At a time of a flow; `fresh`: how much of the noise is new."""
    noise = (1 - fresh ** 2) ** .5 * seeded(1, 4, 64, 64, seed=seed + 100) + fresh * seeded(1, 4, 64, 64, seed=999)
    return torch.roll((1 - time) * picture(seed) + time * noise, at, -1)


def broken(first: tuple[float, torch.Tensor], second: tuple[float, torch.Tensor]) -> bool | None:
    continuity = Continuity()
    continuity.broken(first[1], first[0])
    flag = continuity.broken(second[1], second[0])
    return None if flag is None else bool(flag)


STEPS = [(.98, .95), (.9, .8), (.6, .5), (.3, .2), (.05, .03)]


@pytest.mark.parametrize("before, now", STEPS)
def test_a_step_of_a_sampler_goes_on_where_it_was(before, now):
    kept = now * (1 - before) / (before * (1 - now))  # of the noise, by full ancestral sampling
    for fresh in (0., (1 - kept ** 2) ** .5):
        assert not broken((before, latent(before)), (now, latent(now, fresh=fresh)))


@pytest.mark.parametrize("before, now", STEPS)
def test_another_place_does_not_go_on_where_it_was(before, now):
    assert broken((before, latent(before)), (now, latent(now, at=5)))
    assert broken((before, latent(before)), (now, latent(now, seed=2)))
    for time in (now, 1.):  # the next tile of the same step
        assert broken((time, latent(time)), (time, latent(time, seed=2)))


def test_what_cannot_be_told_is_not_taken_for_another_place():
    """From pure noise, at the end, over a leap in the noise, and of too few numbers."""
    assert broken((1., latent(1.)), (.9, latent(.9, seed=2))) is None
    assert broken((.1, latent(.1)), (0., latent(0., seed=2))) is None
    assert broken((.1, latent(.1)), (.9, latent(.9, fresh=1.))) is None
    assert broken((.5, torch.zeros(1, 4, 2, 2)), (.5, torch.ones(1, 4, 2, 2))) is None
    assert not broken((.5, torch.zeros(1, 4, 64, 64)), (.4, torch.zeros(1, 4, 64, 64)))
