"""Auto and forecasts in ComfyUI's own sampling: what is computed, what is given instead, and what is left behind."""

import re
from dataclasses import replace
from functools import partial

import comfy.k_diffusion.sampling
import comfy.sample
import comfy.samplers
import node_helpers
import pytest
import torch
from comfy.model_management import InterruptProcessingException
from comfy.model_patcher import set_model_options_post_cfg_function
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_advanced_samplers import sample_euler_pp

from blockdance.blockdance_core.auto import outputs
from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.measurement import MeasureMethod
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.auto.written_plan import WrittenPlanMethod
from blockdance.blockdance_core.comfy.attach import attach, fingerprint_of, last_report, versions
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.blockdance_core.comfy.step_tracking import traits_of
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.method import Extrapolated
from blockdance.blockdance_core.plan.extrapolation import FORECASTS, DividedDifferences, OfOutputs
from blockdance.blockdance_core.plan.plan import Kind, Plan, Reuse, SkipModel
from blockdance.blockdance_core.plan.plan_text import read, written
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.tests.host.features.test_samplers import custom
from blockdance.tests.models.tiny import DIT, FLUX, PIXART, SD3, sample
from blockdance.tests.models.unets import SD
from blockdance.tests.trial import Counter, distance, leftovers

TINIES = [pytest.param(FLUX, id="flux"), pytest.param(PIXART, id="pixart"), pytest.param(SD3, id="sd3"),
          pytest.param(SD, id="unet")]


def auto(speedup: float, measured: Kernel | None = None, **more) -> AutoMethod:
    return AutoMethod(speedup, lambda *_: measured, general, **more)


def patched(model, method, **more):
    return attach(model, method, family=ANY_MODEL, **more)


class Calls:
    """Counts the calls of a diffusion model, independently of the pack."""

    def __init__(self, model):
        self.made = 0
        model.model.diffusion_model.register_forward_hook(self._count)

    def _count(self, *_):
        self.made += 1


@pytest.mark.parametrize("tiny", TINIES)
@pytest.mark.parametrize("speedup", [1., 1.5, 3.])
def test_it_computes_what_it_says(tiny, speedup):
    model = tiny.build()
    full = sample(model, tiny, steps=12)
    calls = Calls(model)
    accelerated = patched(model, auto(speedup))
    picture = sample(accelerated, tiny, steps=12)
    report = last_report(accelerated)
    computed = [not evaluation.reuse for evaluation in report.evaluations]
    assert calls.made == sum(evaluation.passes for evaluation in report.evaluations)
    assert sum(computed) == len(report.evaluations) - len(report.plan.reused_steps) == -(-12 // speedup)
    assert report.executed == sum(computed) * report.evaluations[0].total and report.total == 12 * (
        report.evaluations[0].total)
    assert torch.equal(picture, full) if speedup == 1 else 0 < distance(picture, full) < .3
    assert torch.equal(sample(accelerated, tiny, steps=12), picture)  # nothing of the first run is left
    assert not leftovers(model) if tiny is not SD else not model.model.diffusion_model.__dict__.get("forward")
    assert torch.equal(sample(model, tiny, steps=12), full)


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_every_sampler(sampler):
    model = FLUX.build()
    sampling = partial(sample, tiny=FLUX, sampler=sampler, steps=8, cfg=2.)
    accelerated = patched(model, auto(2.))
    full, picture = sampling(model), sampling(accelerated)
    report = last_report(accelerated)
    steady = traits_of(comfy.samplers.sampler_object(sampler)).steady
    assert torch.isfinite(picture).all() and 0 < distance(picture, full) < (.3 if steady else float("inf"))
    assert ("adds noise at every step" in report.plan.note) != steady
    assert not report.failures and not report.misses and report.executed < report.total
    kinds = {type(evaluation.reuse) for evaluation in report.evaluations if evaluation.reuse}
    assert kinds == {Reuse if sampler.endswith("cfg_pp") else SkipModel}
    assert torch.equal(sampling(accelerated), picture)


def speeds(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"([\d.]+)x", text)]


def sample_part(patcher, first: int | None, last: int | None, sampler: str = "euler") -> torch.Tensor:
    """What KSampler (Advanced) does with a start and an end; the first half leaves its noise."""
    return comfy.sample.sample(
        patcher, FLUX.noise(), 16, 2., sampler, "simple", FLUX.conditioning(10), FLUX.conditioning(20),
        torch.zeros(1, *FLUX.latent), start_step=first, last_step=last, disable_pbar=True, seed=4)


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm_2"])
@pytest.mark.parametrize("first, last", [(None, None), (0, 8), (7, None)])
@pytest.mark.parametrize("speedup", [2., 3.])
def test_the_plans_number_is_what_the_run_will_be(sampler, first, last, speedup):
    accelerated = patched(FLUX.build(), auto(speedup))
    sample_part(accelerated, first, last, sampler)
    report = last_report(accelerated)
    made = len(report.evaluations)
    was = made / sum(evaluation.executed > 0 for evaluation in report.evaluations)
    assert speeds(report.plan.note) == [pytest.approx(was, abs=.006)]
    assert set(speeds(report.line())) == set(speeds(report.plan.note))


@pytest.mark.parametrize("sampler", ["dpmpp_2s_ancestral", "dpm_fast", "seeds_3"])
def test_where_the_evaluations_are_not_known_the_plan_counts_steps(sampler):
    accelerated = patched(FLUX.build(), auto(2.))
    sample(accelerated, FLUX, sampler=sampler, steps=10)
    report = last_report(accelerated)
    assert report.plan.note.startswith("5 of 10 steps computed") and not speeds(report.plan.note)
    made, computed = len(report.evaluations), sum(evaluation.executed > 0 for evaluation in report.evaluations)
    assert speeds(report.line()) == [pytest.approx(made / computed, abs=.006)]
    assert f"{computed} of {made} evaluations computed" in report.line()


def test_the_runs_number_is_what_it_was():
    """A sampler that makes five of the twelve steps that it was given."""
    def sample_euler(model, x, sigmas, **options):
        return comfy.k_diffusion.sampling.sample_euler(model, x, sigmas[:6], **options)
    accelerated = patched(FLUX.build(), auto(2.))
    sigmas = comfy.samplers.calculate_sigmas(accelerated.get_model_object("model_sampling"), "simple", 12)
    comfy.sample.sample_custom(
        accelerated, FLUX.noise(), 2., comfy.samplers.KSAMPLER(sample_euler), sigmas, FLUX.conditioning(10),
        FLUX.conditioning(20), torch.zeros(1, *FLUX.latent), disable_pbar=True, seed=4)
    report = last_report(accelerated)
    computed = sum(evaluation.executed > 0 for evaluation in report.evaluations)
    assert len(report.evaluations) == 5
    assert speeds(report.plan.note) == [2.]
    assert speeds(report.line())[-1] == pytest.approx(5 / computed, abs=.006)
    assert f"{computed} of 5 evaluations computed" in report.line()


def test_planning_is_counted():
    accelerated = patched(FLUX.build(), auto(2.))
    sample(accelerated, FLUX, steps=8)
    report = last_report(accelerated)
    assert 0 < report.as_dict()["planning_seconds"] < 60


@pytest.mark.parametrize("tiny", TINIES)
@pytest.mark.parametrize("sampler, quantity", [("euler", Quantity.VELOCITY), ("euler_ancestral", Quantity.PICTURE)])
def test_a_recorded_run_is_the_full_one_and_serves_the_next(tiny, sampler, quantity):
    model, kept = tiny.build(), []
    sampling = partial(sample, tiny=tiny, sampler=sampler, steps=12)
    recorded = patched(model, MeasureMethod(lambda *found: kept.append(found) or "kept"))
    full = sampling(model)
    assert torch.equal(sampling(recorded), full) and last_report(recorded).outcome == "kept"
    (found, kernel), = kept
    assert found is quantity and len(kernel.times) == 12
    error, general_error = (distance(sampling(patched(model, auto(2., known))), full) for known in (kernel, None))
    if quantity is Quantity.VELOCITY:  # what fresh noise does to random weights is not to be forecast
        assert error < .1 and error < 1.5 * general_error


def test_a_model_measured_by_its_own_run_beats_fewer_steps():
    model, kept = FLUX.build(), []
    full = sample(model, FLUX, steps=20)
    sample(patched(model, MeasureMethod(lambda *found: kept.append(found) or "")), FLUX, steps=20)
    known = replace(kept[0][1], growth=1.)  # of random weights: they decide nothing early in a run
    forecast = sample(patched(model, auto(2., known)), FLUX, steps=20)
    assert distance(forecast, full) < distance(sample(model, FLUX, steps=10), full) / 4


@pytest.mark.parametrize("extrapolation", [OfOutputs(Quantity.VELOCITY), None], ids=["velocity", "none given"])
@pytest.mark.parametrize("tiny", [FLUX, PIXART], ids=["flow", "eps"])
def test_velocity_and_picture_of_a_forecast_are_one(tiny, extrapolation):
    """Repeating the latest velocity twice is Euler's step over both, whatever the kind of diffusion."""
    class Repeat:
        name = "repeat"

        def plan(self, schedule, transformer):
            reuse = SkipModel(transformer.depth)
            return Plan.from_reuses([None, reuse] * 4, extrapolation=extrapolation)
    model = tiny.build()
    sampling = model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", 8)

    def run(patcher, sigmas):
        return comfy.samplers.sample(
            patcher, tiny.noise(), tiny.conditioning(10), tiny.conditioning(20), 1., torch.device("cpu"),
            comfy.samplers.sampler_object("euler"), sigmas, latent_image=torch.zeros(1, *tiny.latent),
            disable_pbar=True, seed=1)
    assert distance(run(patched(model, Repeat()), sigmas), run(model, sigmas[::2])) < 1e-4


def test_any_extrapolation_serves_a_plan_that_skips_the_model():
    class Linear:
        name = "linear"

        def plan(self, schedule, transformer):
            return Plan.from_reuses([None, None, *[SkipModel(transformer.depth), None] * 5],
                                    extrapolation=FORECASTS["linear"])
    model = FLUX.build()
    full = sample(model, FLUX, steps=12)
    linear = patched(model, Linear())
    assert 0 < distance(sample(linear, FLUX, steps=12), full) < distance(sample(model, FLUX, steps=7), full)
    assert last_report(linear).reused == 5 and not last_report(linear).failures


def guided(model, function) -> torch.Tensor:
    """12 steps by a sampler function of its own."""
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 12)
    return custom(model, comfy.samplers.KSAMPLER(function), sigmas, cfg=2.)


def test_the_alternative_cfg_pp_gets_the_unconditional_part():
    accelerated = patched(FLUX.build(), auto(2.))
    picture, full = guided(accelerated, sample_euler_pp), guided(FLUX.build(), sample_euler_pp)
    report = last_report(accelerated)
    assert {evaluation.reuse.kind for evaluation in report.evaluations if evaluation.reuse} == {Kind.DELTA}
    assert not report.failures and not report.misses and 0 < distance(picture, full) < .1


def test_a_sampler_that_is_seen_to_take_more_than_the_output_gets_it_computed(caplog):
    def mine(model, x, sigmas, extra_args, **_):
        parts = []
        options = set_model_options_post_cfg_function(
            extra_args["model_options"].copy(), lambda args: parts.append(args["uncond_denoised"]) or args["denoised"])
        for sigma, after in zip(sigmas, sigmas[1:]):
            denoised = model(x, sigma * x.new_ones(len(x)), **extra_args | {"model_options": options})
            x = x + (x - denoised + .1 * parts.pop()) / sigma * (after - sigma)
        return x
    accelerated = patched(FLUX.build(), auto(2.))
    assert torch.equal(guided(accelerated, mine), guided(FLUX.build(), mine))
    report = last_report(accelerated)
    assert report.executed == report.total and "takes more from an evaluation" in report.failures[0]
    assert caplog.text.count("takes more from an evaluation") == 1 and not report.cache_bytes


def wrapped(wrapper):
    model = FLUX.build()
    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "another", wrapper)
    return patched(model, auto(2.))


def test_a_wrapper_of_another_node_costs_nothing():
    plain = sample(patched(FLUX.build(), auto(2.)), FLUX, steps=12)
    accelerated = wrapped(lambda executor, *args, **kwargs: executor(*args, **kwargs))
    assert distance(sample(accelerated, FLUX, steps=12), plain) < 1e-4 and not last_report(accelerated).notes


def test_a_wrapper_that_leaves_evaluations_out_ends_the_plan():
    calls = []

    def lazy(executor, x, *args, **kwargs):
        calls.append(1)
        return x * .5 if len(calls) in (4, 5) else executor(x, *args, **kwargs)
    accelerated = wrapped(lazy)
    assert torch.isfinite(sample(accelerated, FLUX, steps=12)).all()
    report = last_report(accelerated)
    assert [evaluation.step for evaluation in report.evaluations] == [0, 1, 2, *range(5, 12)]
    assert "which evaluations there are" in report.notes[0] and not report.failures


def fixed(text: str):
    return patched(FLUX.build(), WrittenPlanMethod(read(text), lambda quantity, _: general(quantity)))


def test_a_plan_of_outputs_and_blocks():
    plan = """{"blockdance_plan": 1, "steps": 10, "forecast": "measured", "reuse": [
        {"kind": "output", "steps": [6]}, {"kind": "delta", "blocks": [0, 2], "steps": [4, 8]}]}"""
    accelerated = fixed(plan)
    sample(accelerated, FLUX, steps=10)
    report = last_report(accelerated)
    assert [evaluation.executed for evaluation in report.evaluations] == [8, 8, 8, 8, 5, 8, 0, 8, 5, 8]
    assert not report.failures and not report.misses


def test_a_plan_for_sigmas_that_stand_still():
    plan = """{"blockdance_plan": 1, "steps": 8, "forecast": "measured", "reuse": [
        {"kind": "output", "steps": [2, 3, 5, 6]}]}"""
    accelerated = fixed(plan)
    sigmas = torch.tensor([1., .9, .8, .8, .6, .5, .3, .15, 0.])
    picture = custom(accelerated, comfy.samplers.sampler_object("euler"), sigmas, cfg=2.)
    assert torch.isfinite(picture).all() and last_report(accelerated).reused == 4


def test_a_mask_and_an_image_are_kept():
    model = FLUX.build()
    mask = torch.zeros(1, 1, *FLUX.latent[1:])
    mask[..., 8:] = 1
    image = torch.randn(1, *FLUX.latent)
    accelerated = patched(model, auto(2.))
    noise, conditioning = FLUX.noise(), FLUX.conditioning(10)
    picture = comfy.sample.sample(accelerated, noise, 10, 1., "euler", "simple", conditioning, conditioning, image,
                                  denoise=.7, noise_mask=mask, disable_pbar=True, seed=3)
    assert torch.allclose(picture[..., :8], image[..., :8], atol=1e-5)
    assert last_report(accelerated).reused == 5 and torch.isfinite(picture).all()


@pytest.mark.parametrize("sampler", ["euler", "euler_cfg_pp", "euler_ancestral"])
def test_a_plan_of_auto_that_is_kept_draws_the_same(tiny, sampler):
    accelerated = patched(tiny.build(), auto(2., corrects=False))
    picture = sample(accelerated, tiny, sampler=sampler)
    kept = WrittenPlanMethod(read(written(last_report(accelerated).plan)), lambda quantity, _: general(quantity))
    assert torch.equal(sample(patched(tiny.build(), kept), tiny, sampler=sampler), picture)


@pytest.mark.parametrize("sampler", ["euler", "euler_cfg_pp"])
def test_prompts_that_take_turns(sampler):
    """The first evaluation of the second one is computed, and all in all no more than without it."""
    turns = [node_helpers.conditioning_set_values(FLUX.conditioning(seed), {"start_percent": start, "end_percent": end})
             for seed, start, end in ((10, 0., .5), (30, .5, 1.))]
    accelerated = patched(FLUX.build(), auto(2.))
    sample(accelerated, FLUX, steps=12, sampler=sampler, positive=[*turns[0], *turns[1]])
    report = last_report(accelerated)
    first = int(report.plan.note.partition("other conditions from step ")[2].split()[0])
    assert 4 <= first <= 8 and report.evaluations[first].reuse is None
    assert len(report.plan.reused_steps) == 6 and not report.failures


@pytest.mark.parametrize("jump", [3, 4])
def test_outputs_that_jump(jump):
    """A guidance that changes in mid-run, of which the conditions say nothing, of a model that was measured. By the
    general profile, which expects less, it is noticed only where the outputs are expected to be alike."""
    kept, calls = [], []
    sample(patched(FLUX.build(), MeasureMethod(lambda *found: kept.append(found) or "")), FLUX, steps=12)

    def guidance(args):
        calls.append(1)
        return args["uncond"] + (args["cond"] - args["uncond"] if len(calls) <= jump else 30 * args["cond"])
    model = FLUX.build()
    model.set_model_sampler_cfg_function(guidance)
    accelerated = patched(model, auto(2., kept[0][1]))
    sample(accelerated, FLUX, steps=12)
    report = last_report(accelerated)
    assert "changed their course" in report.plan.note and report.reused == 6 and not report.failures


def test_two_sizes_one_after_the_other():
    model = FLUX.build()
    accelerated, other = patched(model, auto(2.)), replace(FLUX, latent=(16, 8, 24))
    first = sample(accelerated, FLUX, steps=8)
    assert torch.equal(sample(accelerated, other, steps=8), sample(patched(FLUX.build(), auto(2.)), other, steps=8))
    assert torch.equal(sample(accelerated, FLUX, steps=8), first)


def test_interrupted_and_run_again():
    model = FLUX.build()
    accelerated = patched(model, auto(2.))
    picture = sample(accelerated, FLUX, steps=8)

    calls = []

    def interrupt(args):
        calls.append(1)
        if len(calls) == 3:
            raise InterruptProcessingException
        return args["conds_out"]
    interrupted = accelerated.clone()
    interrupted.set_model_sampler_pre_cfg_function(interrupt)
    with pytest.raises(InterruptProcessingException):
        sample(interrupted, FLUX, steps=8)
    assert not leftovers(model) and torch.equal(sample(accelerated, FLUX, steps=8), picture)


def test_out_of_memory_computes_the_rest(monkeypatch, caplog):
    model = FLUX.build()
    accelerated = patched(model, auto(2.))

    def scarce(*_):
        raise torch.OutOfMemoryError("tried to allocate something")
    full = sample(model, FLUX, steps=8)
    monkeypatch.setattr(outputs.Outputs, "computed", scarce)
    assert torch.equal(sample(accelerated, FLUX, steps=8), full)
    assert "out of memory" in last_report(accelerated).failures[0] and caplog.text.count("out of memory") == 1


@pytest.mark.parametrize("tiny", [FLUX, PIXART, SD3, DIT], ids=["flux", "pixart", "sd3", "dit"])
@pytest.mark.parametrize("forecast", ["linear", "quadratic"])
def test_forecasts_on_the_papers_methods(tiny, forecast):
    model = tiny.build()
    counter = Counter(model)
    full = sample(model, tiny, steps=12)
    for paper in (BlockDanceMethod(start=.2), DeltaCacheMethod(first_block=1, n_cached=4)):
        counter.executed = 0
        plain = attach(model, paper)
        sample(plain, tiny, steps=12)
        executed, counter.executed = counter.executed, 0
        continued = attach(model, Extrapolated(paper, forecast))
        picture = sample(continued, tiny, steps=12)
        report = last_report(continued)
        assert counter.executed == executed == report.executed and not report.misses and not report.failures
        assert 0 < distance(picture, full) < .2 and not leftovers(model)
        assert report.cache_bytes > 1.9 * last_report(plain).cache_bytes or isinstance(paper, BlockDanceMethod)


@pytest.mark.parametrize("forecast", ["linear", "quadratic"])
def test_steps_that_bear_no_forecast_repeat_as_the_method_does(forecast):
    """An exponential schedule leaps out of pure noise."""
    model, paper = FLUX.build(), BlockDanceMethod(start=.1, end=1.)
    sampling = partial(sample, tiny=FLUX, steps=12, scheduler="exponential")
    plain, continued = attach(model, paper), attach(model, Extrapolated(paper, forecast))
    sampling(plain)
    picture = sampling(continued)
    report, kinds = last_report(continued), [e.reuse.kind for e in last_report(continued).evaluations if e.reuse]
    assert kinds[0] is Kind.FEATURE and kinds[-1] is Kind.DELTA
    assert report.executed == last_report(plain).executed and not report.misses and not report.failures
    assert torch.isfinite(picture).all() and torch.equal(sampling(continued), picture)
    kept = fixed(written(report.plan))
    assert torch.equal(sampling(kept), picture)


def test_a_forecast_of_order_nought_repeats(monkeypatch):
    monkeypatch.setitem(FORECASTS, "linear", DividedDifferences(0))
    model, paper = FLUX.build(), DeltaCacheMethod(first_block=1, n_cached=4)
    assert torch.equal(sample(attach(model, Extrapolated(paper, "linear")), FLUX, steps=8),
                       sample(attach(model, paper), FLUX, steps=8))


def test_a_fingerprint_is_of_the_architecture():
    one, same, other = (fingerprint_of(tiny.build()) for tiny in (FLUX, FLUX, FLUX.of_depth(4)))
    assert one == same != other and one.flow and not fingerprint_of(PIXART.build()).flow
    assert one.stacks == (3, 5) and fingerprint_of(SD.build()).stacks == (1,)
    assert set(versions()) == {"comfyui", "blockdance", "torch"}


