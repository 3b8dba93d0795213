"""Every sampler of ComfyUI: identity, counts, the step of each evaluation, and how close reuse is to what it reuses."""

from functools import partial

import comfy.k_diffusion.sampling
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.step_tracking import ONE_EVALUATION_A_STEP, StepTracker, traits_of
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.tests.models.tiny import CPU, FLUX, sample
from blockdance.tests.trial import TINIES, Trial, distance

SAMPLERS = comfy.samplers.SAMPLER_NAMES
STEPS = 6


class Evaluations:
    """Writes down the sigma of each evaluation, independently of the pack."""

    def __init__(self):
        self.sigmas = []

    def __call__(self, model):
        patched = model.clone()
        patched.set_model_sampler_pre_cfg_function(self._note)
        return patched

    def _note(self, args):
        self.sigmas.append(float(args["sigma"].max()))
        return args["conds_out"]


def custom(model, sampler, sigmas, cfg: float = 1.) -> torch.Tensor:
    return comfy.samplers.sample(
        model, FLUX.noise(), FLUX.conditioning(10), FLUX.conditioning(20), cfg, CPU, sampler, sigmas,
        latent_image=torch.zeros(1, *FLUX.latent), disable_pbar=True, seed=1)


def once_a_step(sampler: str) -> bool:
    return comfy.samplers.sampler_object(sampler).sampler_function.__name__ in ONE_EVALUATION_A_STEP


@pytest.mark.parametrize("tiny", TINIES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler(tiny, sampler):
    evaluations = Evaluations()
    trial = Trial(tiny, evaluations)
    trial.check(partial(sample, tiny=tiny, sampler=sampler, steps=STEPS, cfg=1.), DeltaCacheMethod(N=2), bound=.15)
    report, = trial.reports
    made = [evaluation.reuse is not None for evaluation in report.evaluations]
    assert len(made) == sum(evaluation.passes for evaluation in report.evaluations)
    assert report.misses == 0 and not report.failures
    assert not any(map(all, zip(made, made[1:]))), "reused twice in a row, although N is 2"
    if once_a_step(sampler):
        assert [evaluation.step for evaluation in report.evaluations] == list(range(STEPS))
        assert tuple(step for step, reused in enumerate(made) if reused) == report.plan.reused_steps
    if sampler != "dpm_adaptive":  # its error estimates, and so its number of evaluations, differ with reuse
        assert len(made) * 4 == len(evaluations.sigmas)
    assert (f"{len(made)} evaluations in 6 steps" in report.line()) == (len(made) != STEPS)


@pytest.mark.parametrize("sampler", [sampler for sampler in SAMPLERS if once_a_step(sampler)])
def test_counting_holds_for_a_part_of_a_schedule(sampler):
    """With noise left over, or from the middle, samplers that look ahead may evaluate otherwise."""
    evaluations, reports = Evaluations(), []
    patched = attach(evaluations(FLUX.build()), DeltaCacheMethod(), reports.append)
    full = comfy.samplers.calculate_sigmas(patched.get_model_object("model_sampling"), "simple", 8)
    for sigmas in (full[:5], full[3:], full[2:6]):
        evaluations.sigmas.clear()
        custom(patched, comfy.samplers.sampler_object(sampler), sigmas)
        schedule = Schedule(tuple(sigmas.tolist()), None)
        assert [e.step for e in reports[-1].evaluations] == [schedule.step_at(sigma) for sigma in evaluations.sigmas]


def test_heun_reuses_what_it_computed_at_the_same_noise():
    """Counting evaluations, not steps, puts the reused one next to the computed one."""
    trial, errors = Trial(FLUX), {}
    for sampler in ("euler", "heun"):
        sampling = partial(sample, tiny=FLUX, sampler=sampler, steps=12, cfg=1.)
        errors[sampler] = distance(trial.sample(sampling, DeltaCacheMethod()), trial.sample(sampling))
    assert errors["heun"] < errors["euler"] / 4


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm_2"])
def test_churn(sampler):
    """Noise is added before a step, which is then evaluated above its sigma."""
    function = getattr(comfy.k_diffusion.sampling, f"sample_{sampler}")
    reports = []
    patched = attach(FLUX.build(), DeltaCacheMethod(N=3), reports.append)
    sigmas = comfy.samplers.calculate_sigmas(patched.get_model_object("model_sampling"), "simple", 9)
    picture = custom(patched, comfy.samplers.KSAMPLER(function, {"s_churn": .5}), sigmas)
    reused = "".join("r" if evaluation.reuse else "c" for evaluation in reports[0].evaluations)
    assert torch.isfinite(picture).all() and "rrr" not in reused and reused.count("r") >= len(reused) / 3


def test_an_option_that_doubles_the_evaluations():
    """SamplerSASolver's use_pece makes it the sampler sa_solver_pece."""
    steps = []
    for sampler in (comfy.samplers.ksampler("sa_solver", {"use_pece": True}),
                    comfy.samplers.ksampler("sa_solver_pece")):
        reports = []
        patched = attach(FLUX.build(), DeltaCacheMethod(), reports.append)
        sigmas = comfy.samplers.calculate_sigmas(patched.get_model_object("model_sampling"), "simple", 8)
        custom(patched, sampler, sigmas)
        steps.append([(evaluation.step, bool(evaluation.reuse)) for evaluation in reports[0].evaluations])
    assert steps[0] == steps[1] and len(steps[0]) > 8


@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_a_schedule_that_goes_back(sampler):
    """Restart sampling; nothing from low noise may be reused at high noise."""
    reports = []
    patched = attach(FLUX.build(), DeltaCacheMethod(N=4), reports.append)
    sigmas = torch.tensor([1., .8, .6, .4, .2, .9, .7, .5, .3, .1, 0.])
    picture = custom(patched, comfy.samplers.sampler_object(sampler), sigmas)
    assert torch.isfinite(picture).all() and 0 < reports[0].reused < len(reports[0].evaluations)
    again = next(evaluation for evaluation in reports[0].evaluations if evaluation.step == 5)  # sigma .9
    assert reports[0].plan.decisions[5].reuse and again.reuse is None and again.stored


def test_a_wrapper_that_leaves_evaluations_out():
    """LazyCache does; the steps that it leaves must not be counted on."""
    calls = []

    def lazy(executor, x, *args, **kwargs):
        calls.append(1)
        return torch.zeros_like(x) if len(calls) in (3, 4) else executor(x, *args, **kwargs)
    model, reports = FLUX.build(), []
    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "lazy", lazy)
    sample(attach(model, DeltaCacheMethod(), reports.append), FLUX, steps=8)
    assert [evaluation.step for evaluation in reports[0].evaluations] == [0, 1, 4, 5, 6, 7]


def test_an_unknown_sampler_is_followed_by_its_sigmas():
    tracker = StepTracker(Schedule((1., .5, 0.), None, sampler=traits_of(None)))
    assert [tracker.step(torch.tensor([sigma])) for sigma in (1., .7, .5)] == [0, 0, 1]
