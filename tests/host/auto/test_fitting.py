"""Weights are fitted through ComfyUI's own samplers: what a nudge of one does to the result."""

from functools import partial

import comfy.sample
import comfy.samplers
import node_helpers
import pytest
import torch

from blockdance.blockdance_core.auto.calibration import CalibrationRuns
from blockdance.blockdance_core.auto.gauss_newton import changed, cost, directions, fitted
from blockdance.blockdance_core.auto.measurement import MeasureMethod
from blockdance.blockdance_core.auto.proven_plan import ProvenPlan
from blockdance.blockdance_core.auto.trial import TrialMethod
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.blockdance_core.comfy.step_tracking import traits_of
from blockdance.tests.models.tiny import FLUX, sample

STEPS, PLAN = 8, ProvenPlan((0, 1, 3, 5))
TRAITS = {name: traits_of(comfy.samplers.sampler_object(name)) for name in comfy.samplers.SAMPLER_NAMES}
FITTED = [name for name, traits in TRAITS.items() if traits.counted and traits.whole]


class Trial:
    """Runs of a small model by one sampler."""

    def __init__(self, sampler: str):
        self.model = FLUX.build()
        self.sampling = partial(sample, tiny=FLUX, sampler=sampler, steps=STEPS, cfg=2.)
        found = []
        self.full = self.sampling(attach(self.model, MeasureMethod(lambda *it: found.append(it) or ""),
                                         family=ANY_MODEL))
        quantity, self.kernel = found[0]
        self.runs = CalibrationRuns(
            quantity, self.kernel, lambda method, _: (self.draw(method) - self.full).flatten(), count=2)
        self.evaluations = 0

    def draw(self, method) -> torch.Tensor:
        patched = attach(self.model, method, family=ANY_MODEL)
        latent = self.sampling(patched)
        report = last_report(patched)
        assert not report.failures
        self.evaluations += sum(evaluation.executed > 0 for evaluation in report.evaluations)
        return latent

    def follow(self, plan: ProvenPlan, recorded=None, until: int = 0) -> torch.Tensor:
        return self.draw(TrialMethod(self.kernel, plan, recorded, until))


def test_the_samplers_that_people_use_are_among_them():
    assert {"euler", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_sde", "res_multistep", "lms", "ipndm", "deis", "uni_pc",
            "er_sde", "lcm"} <= set(FITTED)


@pytest.mark.parametrize("sampler", FITTED)
def test_a_nudge_has_the_derivative_of_the_whole_run(sampler):
    trial, recorded = Trial(sampler), {}
    along = directions(trial.runs, PLAN)
    before = trial.follow(PLAN, recorded)
    assert torch.equal(trial.follow(changed(PLAN, along, [0.] * len(along))), before)
    for direction in along:
        until = (*PLAN.computed, STEPS)[direction.after + 1]
        moved = {}
        for nudge in (.01, -.01):
            plan = changed(PLAN, [direction], [nudge])
            moved[nudge] = trial.follow(plan, recorded, until) - before
            assert torch.equal(trial.follow(plan) - before, moved[nudge])
        assert moved[.01].abs().max() > 0
        torch.testing.assert_close(moved[.01], -moved[-.01], rtol=.3, atol=.1 * float(moved[.01].abs().max()))


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde"])
def test_a_fit_takes_as_many_evaluations_as_it_says(sampler):
    trial = Trial(sampler)
    found = fitted(trial.runs, PLAN)
    assert trial.evaluations == pytest.approx(STEPS * cost(trial.runs, PLAN))
    errors = [trial.runs.errors_of(TrialMethod(trial.kernel, plan))[0].square().mean() for plan in (PLAN, found)]
    assert errors[1] < errors[0], "both runs are the same here, so that the one that judges agrees"


@pytest.mark.parametrize("sampler", ["euler_cfg_pp", "heun"])
def test_other_samplers_are_refused_in_words(sampler):
    trial = Trial("euler")
    trial.sampling.keywords["sampler"] = sampler
    with pytest.raises(ValueError, match="fitted for this sampler"):
        fitted(trial.runs, PLAN)


def way(**more) -> str:
    """Of a run of the small model."""
    patched = attach(FLUX.build(), MeasureMethod(lambda *_: ""), family=ANY_MODEL)
    sample(patched, tiny=FLUX, steps=STEPS, **more)
    return last_report(patched).way


def test_runs_are_alike_by_sampler_guidance_and_size():
    usual = way(cfg=2.)
    assert usual == way(cfg=2.) == "sample_euler, cfg 2, " + " x ".join(map(str, FLUX.latent))
    assert len({usual, way(cfg=3.), way(cfg=2., sampler="lms")}) == 3


def test_where_a_guider_combines_in_its_own_way_no_run_is_like_another():
    class Other(comfy.samplers.CFGGuider):
        def predict_noise(self, *inputs, **more):
            return super().predict_noise(*inputs, **more) * .9
    patched = attach(FLUX.build(), MeasureMethod(lambda *_: ""), family=ANY_MODEL)
    for kind, known in ((comfy.samplers.CFGGuider, True), (Other, False)):
        guider = kind(patched)
        guider.set_conds(FLUX.conditioning(10), FLUX.conditioning(20))
        guider.set_cfg(2.)
        guider.sample(FLUX.noise(), torch.zeros(1, *FLUX.latent), comfy.samplers.sampler_object("euler"),
                      torch.linspace(1, 0, STEPS + 1), seed=1)
        assert bool(last_report(patched).way) == known


def test_the_guidance_that_a_model_is_told_counts():
    patched = attach(FLUX.build(), MeasureMethod(lambda *_: ""), family=ANY_MODEL)
    told = node_helpers.conditioning_set_values(FLUX.conditioning(10), {"guidance": 2.5})
    comfy.sample.sample(patched, FLUX.noise(), STEPS, 1., "euler", "simple", told, told, torch.zeros(1, *FLUX.latent),
                        disable_pbar=True, seed=4)
    assert "cfg 1, guidance 2.5, " in last_report(patched).way
