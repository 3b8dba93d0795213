"""Tiles and rolls between the sampler and the model: those that stay are reused, those that move are computed."""

from functools import partial

import comfy.samplers
import pytest
import torch

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.method import Extrapolated
from blockdance.tests.host.features.test_samplers import custom
from blockdance.tests.models.tiny import CPU, FLUX, PIXART, sample
from blockdance.tests.trial import distance

METHODS = {
    "BlockDance": BlockDanceMethod(start=.2), "Delta-Cache": DeltaCacheMethod(N=3),
    "forecast": Extrapolated(DeltaCacheMethod(), "linear"),
    "Auto": AutoMethod(2., lambda quantity, _: general(quantity), general),
}
SIZE = 12  # of a tile


def rolled(offset, apply, x, time, c):
    return torch.roll(apply(torch.roll(x, offset, -1), time, **c), -offset, -1)


def tiled(offset, apply, x, time, c):
    """Two tiles on top of a pass over all."""
    result = apply(x, time, **c).clone()
    for top in (0, 4):
        tile = x[..., top:top + SIZE, offset % 5:offset % 5 + SIZE]
        result[..., top:top + SIZE, offset % 5:offset % 5 + SIZE] = apply(tile, time, **c)
    return result


def with_wrapper(way, moving: bool):
    """A model whose passes are rolled or cut, by another offset at each noise level if `moving`."""
    model, offsets = FLUX.build(), {}

    def wrapper(apply, args):
        time = round(float(args["timestep"].max()), 5)
        offset = 2 * offsets.setdefault(time, len(offsets) + 1) if moving else 6
        return way(offset, apply, args["input"], args["timestep"], args["c"])
    model.set_model_unet_function_wrapper(wrapper)
    return model


def run(model, method):
    patched = attach(model, method, family=ANY_MODEL)
    return sample(patched, FLUX, steps=12), last_report(patched)


@pytest.mark.parametrize("way", [rolled, tiled], ids=["rolled", "tiles"])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_what_moves_between_steps_is_computed_and_said_once(way, method, caplog):
    """Auto may repeat an output before it has seen two of them, and a pass over all of the latent stays in place."""
    picture, report = run(with_wrapper(way, moving=True), method)
    full = sample(with_wrapper(way, moving=True), FLUX, steps=12)
    assert distance(picture, full) < .05
    assert torch.equal(picture, full) or way is tiled or method is METHODS["Auto"]
    assert all(evaluation.executed == evaluation.total for evaluation in report.evaluations[3:])
    failure, = report.failures
    assert "another part of the latent" in failure and caplog.text.count("another part of the latent") == 1


@pytest.mark.parametrize("way", [rolled, tiled], ids=["rolled", "tiles"])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_what_stays_in_its_place_goes_on_being_reused(way, method):
    picture, report = run(with_wrapper(way, moving=False), method)
    assert report.reused == len(report.plan.reused_steps) and not report.misses and not report.failures
    assert 0 < distance(picture, sample(with_wrapper(way, moving=False), FLUX, steps=12)) < .2


def parts(model, x, sigmas, extra_args, *, part, **_):
    """Euler's rule on a half of the latent after the other, which `part` gives by the number of the step."""
    for step, (sigma, after) in enumerate(zip(sigmas, sigmas[1:])):
        for place in part(step):
            rolled = torch.roll(x, place, -1)
            denoised = model(rolled[..., :8], sigma * x.new_ones(len(x)), **extra_args)
            rolled[..., :8] += (rolled[..., :8] - denoised) / sigma * (after - sigma)
            x = torch.roll(rolled, -place, -1)
    return x


PARTS = {
    "halves one after the other": lambda step: (0, 8), "another offset at each step": lambda step: (3 * step,),
    "the same offset at each step": lambda step: (3,),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@pytest.mark.parametrize("part", PARTS)
def test_a_sampler_that_evaluates_parts_of_its_latent(part, method):
    """The model gets all of what the pack knows of; noise is left from the beginning, by which parts are known."""
    model = FLUX.build()
    sampler = comfy.samplers.KSAMPLER(partial(parts, part=PARTS[part]))
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 16)[2:]
    full = custom(model, sampler, sigmas)
    patched = attach(model, method, family=ANY_MODEL)
    picture, report = custom(patched, sampler, sigmas), last_report(patched)
    if part == "the same offset at each step":
        assert report.reused and not report.failures and 0 < distance(picture, full) < .2
    else:
        assert torch.equal(picture, full) and not report.reused
        failure, = report.failures
        assert "nothing in common" in failure


SOME = ("euler_ancestral", "dpm_2_ancestral", "dpmpp_sde", "dpmpp_3m_sde", "seeds_3", "er_sde", "sa_solver", "ddpm")


@pytest.mark.parametrize("tiny, sampler", [(FLUX, sampler) for sampler in comfy.samplers.SAMPLER_NAMES]
                         + [(PIXART, sampler) for sampler in SOME], ids=lambda value: str(value)[:20])
def test_a_sampler_under_another_name_is_not_taken_for_one_that_moves(tiny, sampler):
    """However much noise it adds, unless it makes all of it anew."""
    known, model = comfy.samplers.sampler_object(sampler), tiny.build()

    def unknown(*args, **kwargs):
        return known.sampler_function(*args, **kwargs)
    other = comfy.samplers.KSAMPLER(unknown, known.extra_options, known.inpaint_options)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 8)
    patched = attach(model, DeltaCacheMethod())
    comfy.samplers.sample(patched, tiny.noise(), tiny.conditioning(10), tiny.conditioning(20), 1., CPU, other, sigmas,
                          latent_image=torch.zeros(1, *tiny.latent), disable_pbar=True, seed=1)
    assert sampler == "lcm" or not last_report(patched).failures
