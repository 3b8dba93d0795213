"""Samplers of other packs: what they do is seen in their runs, whatever they are called."""

from functools import partial

import comfy.k_diffusion.sampling as sampling
import comfy.samplers
import pytest
import torch

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.blockdance_core.comfy.step_tracking import traits_of
from blockdance.blockdance_core.plan.plan import Kind
from blockdance.blockdance_core.plan.schedule import Origin, Quantity, SamplerTraits
from blockdance.tests.core.auto.test_sampler_observation import Kept
from blockdance.tests.host.features.test_samplers import SAMPLERS
from blockdance.tests.models.tiny import CPU, FLUX, PIXART
from blockdance.tests.trial import distance

EULER, ANCESTRAL = sampling.sample_euler, sampling.sample_euler_ancestral


def renamed(sampler: object) -> object:
    """The same sampler under a name that no table has."""
    function = sampler.sampler_function

    def another(*args, **kwargs):
        return function(*args, **kwargs)
    return comfy.samplers.KSAMPLER(another, sampler.extra_options, sampler.inpaint_options)


def of(function, **options) -> object:
    return comfy.samplers.KSAMPLER(function, options)


class Model:
    """A tiny model, what was measured of it, and what was seen of samplers."""

    def __init__(self, tiny=FLUX):
        self.tiny, self.model, self.kernels, self.samplers = tiny, tiny.build(), {}, Kept()
        self.auto = attach(self.model, AutoMethod(2., lambda quantity, _: self.kernels.get(quantity), general,
                                                  self._save, samplers=self.samplers), family=ANY_MODEL)

    def _save(self, quantity, kernel) -> str:
        self.kernels[quantity] = kernel
        return "kept"

    def draw(self, sampler, full: bool = False, steps: int = 12, sigmas=None, **more) -> torch.Tensor:
        if sigmas is None:
            sigmas = comfy.samplers.calculate_sigmas(self.model.get_model_object("model_sampling"), "simple", steps)
        return comfy.samplers.sample(
            self.model if full else self.auto, self.tiny.noise(), self.tiny.conditioning(10),
            self.tiny.conditioning(20), 2., CPU, sampler, sigmas, latent_image=torch.zeros(1, *self.tiny.latent),
            disable_pbar=True, seed=1, **more)

    @property
    def report(self):
        return last_report(self.auto)


def test_every_sampler_of_comfyui_is_in_a_table():
    assert not [name for name in SAMPLERS if traits_of(comfy.samplers.sampler_object(name)).origin is Origin.GUESS]


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_a_run_shows_is_what_the_tables_say(name):
    """But for noise where more than the output is taken: the rest is not heard, and looks like noise."""
    sampler, model = comfy.samplers.sampler_object(name), Model()
    full = model.draw(sampler, full=True)
    assert torch.equal(model.draw(renamed(sampler)), full)
    said, (seen,) = traits_of(sampler), model.samplers.values()
    assert (seen.counted, seen.whole) == (said.counted, said.whole)
    assert seen.steady == (said.steady and said.whole)
    assert set(model.kernels) == {Quantity.VELOCITY if seen.steady else Quantity.PICTURE}


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m", "uni_pc", "heun", "euler_ancestral", "dpmpp_sde"])
def test_after_the_measuring_run_an_unknown_name_makes_no_difference(name):
    by_name, model = comfy.samplers.sampler_object(name), Model()
    other = renamed(by_name)
    full = model.draw(other)
    unknown, known = model.draw(other), model.draw(by_name)
    assert model.report.reused > 0
    assert distance(unknown, full) <= 1.12 * distance(known, full)  # 1 dB


@pytest.mark.parametrize("tiny", [FLUX, PIXART], ids=["flow", "eps"])
def test_nor_does_it_in_a_first_run_with_a_profile_made_by_another(tiny):
    model = Model(tiny)
    model.draw(of(EULER))
    full, known = model.draw(of(EULER), full=True), model.draw(of(EULER))
    unknown = model.draw(renamed(of(EULER)))
    assert model.report.reused == 6 and "adds noise at every step" not in model.report.line()
    assert distance(unknown, full) <= 1.12 * distance(known, full)


@pytest.mark.parametrize("tiny", [FLUX, PIXART], ids=["flow", "eps"])
def test_noise_under_an_unknown_name_is_seen_in_the_same_run(tiny):
    model = Model(tiny)
    model.draw(of(EULER))
    picture = model.draw(renamed(of(ANCESTRAL)))
    report = model.report
    assert report.plan.extrapolation.quantity is Quantity.PICTURE and "adds noise at every step" in report.plan.note
    assert report.reused > 0 and not report.failures and torch.isfinite(picture).all()
    full = model.draw(of(ANCESTRAL), full=True)
    model.auto = attach(model.model, AutoMethod(2., lambda *_: None, general), family=ANY_MODEL)
    assert distance(picture, full) <= 1.12 * distance(model.draw(of(ANCESTRAL)), full)


def test_noise_that_is_turned_off_is_none():
    """ComfyUI's own samplers that add noise, with eta 0."""
    model = Model()
    quiet = of(ANCESTRAL, eta=0.)
    full = model.draw(quiet)
    assert set(model.kernels) == {Quantity.VELOCITY}
    assert distance(model.draw(quiet), full) <= 1.12 * distance(model.draw(of(EULER)), full)
    model.draw(of(ANCESTRAL, eta=1.))
    assert "records" in model.report.plan.note and set(model.kernels) == set(Quantity)


def test_options_and_inner_samplers_are_told_apart():
    def wrapper(model, x, sigmas, inner, **more):
        return inner.sampler_function(model, x, sigmas, **more)
    model = Model()
    for inner in (EULER, ANCESTRAL):
        model.draw(of(wrapper, inner=of(inner)))
    assert sorted(traits.steady for traits in model.samplers.values()) == [False, True]
    keys = {traits_of(of(wrapper, **options)).key for options in ({}, {"a": 1}, {"a": 2}, {"noise_seed": 3})}
    assert len(keys) == 3 and traits_of(of(partial(wrapper, inner=1))).key == traits_of(of(wrapper)).key
    assert all(len(traits_of(of(wrapper, a="long" * 99)).key) < 300 for _ in range(1))


def test_a_sampler_with_detail_is_followed():
    """It asks for less noise than there is; that is no evaluation of the schedule, but no noise either."""
    def detail(model, x, sigmas, **more):
        class Less:
            inner_model = model.inner_model

            def __call__(self, x, sigma, **more):
                return model(x, sigma * .97, **more)
        return EULER(Less(), x, sigmas, **more)
    model = Model()
    full = model.draw(of(detail))
    seen, = model.samplers.values()
    assert seen.steady and not seen.counted
    assert 0 < distance(model.draw(of(detail)), full) < .2 and model.report.reused == 6


def test_more_than_the_output_is_seen_and_then_given():
    def cfg_pp(*args, **kwargs):
        return sampling.sample_euler_cfg_pp(*args, **kwargs)
    model = Model()
    full = model.draw(of(cfg_pp))
    picture = model.draw(of(cfg_pp))
    assert {evaluation.reuse.kind for evaluation in model.report.evaluations if evaluation.reuse} == {Kind.DELTA}
    assert not model.report.failures and 0 < distance(picture, full) < .2


def test_the_name_of_a_newer_comfyui():
    assert traits_of(of(type("", (), {"__name__": "sample_cfgpp_ud10_ab"})())) == SamplerTraits(
        whole=False, name="sample_cfgpp_ud10_ab", key="", known=False)


@pytest.mark.parametrize("masked", [False, True])
def test_a_mask_is_no_noise_of_the_sampler(masked):
    """Where a mask has a hand in the latents they do not show what a sampler does."""
    mask = torch.zeros(1, 1, *FLUX.latent[1:])
    mask[..., 8:] = 1
    model = Model()
    full = model.draw(renamed(of(EULER)), **({"denoise_mask": mask} if masked else {}))
    assert torch.isfinite(full).all() and bool(model.samplers) != masked


PADDED = {"a leading 0": [0., 1., .9, .8, .7, .6, .5, .4, .3, .2, .1, 0.],
          "zeros at the end": [1., .9, .8, .7, .6, .5, .4, .3, .2, .1, .0001, 0., 0.],
          "a repeated value": [1., .9, .8, .7, .7, .6, .5, .4, .3, .2, .1, 0.],
          "a restart": [1., .9, .8, .7, .6, .5, .4, .3, .2, .95, .8, .7, .6, .5, .4, .3, .2, .1, 0.]}


def tolerant(model, x, sigmas, extra_args, **_):
    """Euler's method for any sigmas, as resampling samplers have it."""
    for sigma, after in zip(sigmas, sigmas[1:]):
        denoised = model(x, sigma * x.new_ones(len(x)), **extra_args)
        if sigma > 0:
            x = x + (x - denoised) / sigma * (after - sigma)
        elif after > 0:
            x = (1 - after) * denoised + after * torch.ones_like(x)
    return x


@pytest.mark.parametrize("sigmas", PADDED.values(), ids=PADDED)
def test_sigmas_that_do_not_fall_throughout(sigmas):
    """Measured, planned, and as close as a run without them is."""
    sigmas, model = torch.tensor(sigmas), Model()
    full = model.draw(of(tolerant), sigmas=sigmas)
    assert model.kernels and not model.report.failures
    picture = model.draw(of(tolerant), sigmas=sigmas)
    assert model.report.reused >= 4 and not model.report.failures and not model.report.notes
    assert "not go on falling" in model.report.plan.note
    assert 0 < distance(picture, full) < .1


@pytest.mark.parametrize("sampler", ["euler", "euler_cfg_pp", "euler_ancestral"])
def test_a_restart_by_a_sampler_of_comfyui(sampler):
    model, sigmas = Model(), torch.tensor(PADDED["a restart"])
    for _ in range(2):
        picture = model.draw(comfy.samplers.sampler_object(sampler), sigmas=sigmas)
    assert torch.isfinite(picture).all() and model.report.reused == 8 and not model.report.failures
    assert not [model.report.evaluations[step].reuse for step in (0, 8, 9) if model.report.evaluations[step].reuse]
