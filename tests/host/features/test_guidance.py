"""Guidance that calls the model more often, or with more than two conditions, through ComfyUI's own nodes."""

from functools import partial

import comfy.context_windows
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_apg import APG
from comfy_extras.nodes_cfg import CFGNorm, CFGZeroStar
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_custom_sampler import (
    BasicGuider,
    CFGGuider,
    DualCFGGuider,
    DualModelGuider,
    RandomNoise,
    SamplerCustomAdvanced,
)
from comfy_extras.nodes_eps import TemporalScoreRescaling
from comfy_extras.nodes_fresca import FreSca
from comfy_extras.nodes_mahiro import Mahiro
from comfy_extras.nodes_nag import NAGuidance
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_perpneg import PerpNegGuider
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT, SkipLayerGuidanceDiTSimple
from comfy_extras.nodes_tcfg import TCFG

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.method import with_forecast
from blockdance.tests.models.tiny import FLUX, PIXART, Tiny, sample
from blockdance.tests.trial import OFF, TINIES, Trial, custom, distance, guided_by, leftovers

METHOD = DeltaCacheMethod(N=2, n_cached=3)
CONTEXT = comfy.context_windows.ContextSchedules

GUIDANCE = {
    "SLG": lambda model: SkipLayerGuidanceDiT.execute(model, 2., 0., .7, "1, 4", "1, 2"),
    "SLG of a stored block": lambda model: SkipLayerGuidanceDiT.execute(model, 2., 0., 1., "2", ""),
    "SLG simple": lambda model: SkipLayerGuidanceDiTSimple.execute(model, .2, .8, "1, 4", "1"),
    "PAG": lambda model: PerturbedAttentionGuidance.execute(model, 2.),
    "NAG": lambda model: NAGuidance.execute(model, 5., .5, 1.5),
    "APG": lambda model: APG.execute(model, .5, 5., -.3),
    "CFG-Zero*": CFGZeroStar.execute,
    "CFGNorm": lambda model: CFGNorm.execute(model, 1.),
    "TCFG": TCFG.execute,
    "Mahiro": Mahiro.execute,
    "FreSca": lambda model: FreSca.execute(model, 1.1, 1.2, 20),
    "TSR": lambda model: TemporalScoreRescaling.execute(model, .95, 1.),
}


@pytest.fixture(params=TINIES)
def tiny(request) -> Tiny:
    return request.param


@pytest.mark.parametrize("guidance", GUIDANCE)
def test_guidance(tiny, guidance):
    trial = Trial(tiny, lambda model: GUIDANCE[guidance](model)[0])
    trial.check(partial(sample, tiny=tiny, steps=6), METHOD, bound=.5)
    report, = trial.reports
    if guidance in ("SLG", "PAG"):
        assert report.evaluations[1].passes == 2 and report.misses == 0
    if guidance == "SLG of a stored block" and tiny is not PIXART:  # which has no place to skip a block
        assert "did not run them exactly once" in report.failures[0]


@pytest.mark.parametrize("guidance", [
    lambda model: SkipLayerGuidanceDiT.execute(model, 1e-12, 0., 1., "1, 4", "1, 2"),
    lambda model: PerturbedAttentionGuidance.execute(model, 1e-12),
], ids=["SLG", "PAG"])
def test_a_perturbed_pass_leaves_the_others_alone(tiny, guidance):
    """At a strength of nearly nothing only features that mix could show."""
    plain = Trial(tiny).sample(partial(sample, tiny=tiny), METHOD)
    perturbed = Trial(tiny, lambda model: guidance(model)[0]).sample(partial(sample, tiny=tiny), METHOD)
    assert distance(perturbed, plain) < 1e-4


def guiders(tiny: Tiny) -> dict:
    positive, middle, negative = map(tiny.conditioning, (10, 15, 20))
    return {
        "basic": lambda model: BasicGuider.execute(model, positive),
        "CFG": lambda model: CFGGuider.execute(model, positive, negative, 3.),
        "CFG 1": lambda model: CFGGuider.execute(model, positive, negative, 1.),
        "dual CFG": lambda model: DualCFGGuider.execute(model, positive, middle, negative, 3., 2., "regular"),
        "nested dual CFG": lambda model: DualCFGGuider.execute(model, positive, middle, negative, 3., 2., "nested"),
        "perpendicular negative": lambda model: PerpNegGuider.execute(model, positive, negative, middle, 3., .5),
    }


@pytest.mark.parametrize("guider", guiders(FLUX))
def test_guiders_of_the_advanced_sampler(tiny, guider):
    def sampling(model):
        made = guiders(tiny)[guider](model)[0]
        noise = RandomNoise.execute(5)[0]
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 6)
        latent = {"samples": torch.zeros(1, *tiny.latent)}
        euler = comfy.samplers.sampler_object("euler")
        return SamplerCustomAdvanced.execute(noise, made, euler, sigmas, latent)[0]["samples"]
    trial = Trial(tiny)
    trial.check(sampling, METHOD, bound=.5)
    assert trial.reports[0].misses == 0


def test_a_guider_that_samples_twice():
    """Its conditions keep their uuids, so what the first sampling stored must be gone."""
    trial = Trial(FLUX)

    def sampling(model):
        guider = CFGGuider.execute(model, FLUX.conditioning(10), FLUX.conditioning(20), 3.)[0]
        first, second = (custom(model, FLUX, guider, steps=6) for _ in range(2))
        assert torch.equal(first, second)
        return first
    trial.sample(sampling, METHOD)
    assert [report.misses for report in trial.reports] == [0, 0]


def dual(tiny: Tiny, negative_model, cfg: float = 3.):
    def sampling(model):
        guider = DualModelGuider.execute(model, tiny.conditioning(10), cfg, negative_model, tiny.conditioning(20))[0]
        return custom(model, tiny, guider, steps=6)
    return sampling


def test_another_model_for_the_negative(tiny):
    """Both passes have the condition index 0; only the model tells them apart."""
    other = tiny.build()
    with torch.no_grad():
        for parameter in other.model.diffusion_model.parameters():
            parameter.mul_(1.1)
    reports = []
    pictures = {}
    for name, negative in ("same", tiny.build()), ("other", other):
        model = attach(guided_by("cond")(tiny.build()), METHOD, reports.append)
        pictures[name] = dual(tiny, negative)(model)
        assert not leftovers(negative)
    assert torch.equal(pictures["same"], pictures["other"])
    assert all(report.misses == 0 and report.evaluations[1].passes == 2 for report in reports)


def test_a_negative_model_that_the_plan_does_not_fit():
    deeper = PIXART.of_depth(12).build()
    full = dual(PIXART, deeper)(PIXART.build())
    reports = []
    reused = dual(PIXART, deeper)(attach(PIXART.build(), METHOD, reports.append))
    assert distance(reused, full) < .3
    assert reports[0].failures == ["a PixArtMS of 12 blocks computes them all: the plan is for PixArtMS with 8"]
    assert reports[0].total == 6 * 8


@pytest.mark.parametrize("schedule", [CONTEXT.STATIC_STANDARD, CONTEXT.UNIFORM_STANDARD, CONTEXT.BATCHED])
@pytest.mark.parametrize("N, forecast", [(2, "off"), (3, "off"), (2, "linear"), (3, "quadratic")])
def test_context_windows(schedule, N, forecast):
    """Windows over the batch. Those of the uniform schedule move, which must neither mix nor pile up."""
    def windows(model):
        return ContextWindowsManualNode.execute(model, 4, 1, schedule, 1, False, "pyramid", 0, False)[0]
    trial = Trial(FLUX, windows)
    sampling = partial(sample, tiny=FLUX, steps=7, batch=7, cfg=1.)
    full = trial.sample(sampling)
    assert torch.equal(trial.sample(sampling, OFF), full)
    method = with_forecast(DeltaCacheMethod(N=N), forecast)
    assert distance(trial.sample(sampling, method), full) < .3
    report, = trial.reports
    assert max(evaluation.passes for evaluation in report.evaluations) > 1
    if schedule != CONTEXT.UNIFORM_STANDARD:
        assert report.misses == 0 and report.executed < report.total
    trial.sample(partial(sampling, steps=28), method)
    report, = trial.reports
    each = report.evaluations[0].cache_bytes / report.evaluations[0].passes
    most = max(evaluation.passes for evaluation in report.evaluations)
    anchors = {"off": 1, "linear": 2, "quadratic": 3}[forecast]
    # Windows that are new in a reusing evaluation are stored for the next, where the group has one; they differ in size
    assert report.cache_bytes <= 1.2 * (anchors + (N > 2)) * most * each, "what is stored grows with the windows"
