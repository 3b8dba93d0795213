"""Whatever listens to a run, measures it or tells of it may fail; the picture is drawn all the same."""

from dataclasses import dataclass, field

import comfy.samplers
import pytest
import torch
from comfy.model_management import InterruptProcessingException

from blockdance.blockdance_core.analysis.similarity import Sketcher
from blockdance.blockdance_core.auto.measurement import MeasureMethod
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL, chain_of
from blockdance.blockdance_core.comfy.probe import attach_probe, last_similarity
from blockdance.blockdance_core.engine import macs as counter
from blockdance.blockdance_core.engine.controller import PlanController, Setup
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.plan.plan import COMPUTE, Plan
from blockdance.tests.models.tiny import FLUX, sample
from blockdance.tests.trial import distance, leftovers

STEPS = 10


class Pair(comfy.samplers.CFGGuider):
    """Gives its output twice, as an inpainting pack's guider does."""

    def predict_noise(self, *args, **kwargs):
        output = super().predict_noise(*args, **kwargs)
        return output, output


class Halved(comfy.samplers.CFGGuider):
    """Gives less than the latent has."""

    def predict_noise(self, *args, **kwargs):
        return super().predict_noise(*args, **kwargs)[..., ::2]


def euler(model, x, sigmas, extra_args, **_):
    """For whatever these guiders give."""
    for sigma, after in zip(sigmas, sigmas[1:]):
        denoised = model(x, sigma * x.new_ones(len(x)), **extra_args)
        denoised = denoised[0] if isinstance(denoised, tuple) else denoised.repeat_interleave(2, -1)
        x = x + (x - denoised) / sigma * (after - sigma)
    return x


def guided(model, guider: type, name: str) -> torch.Tensor:
    def function(*args, **kwargs):
        return euler(*args, **kwargs)
    function.__name__ = name
    made = guider(model)
    made.set_conds(FLUX.conditioning(10), FLUX.conditioning(20))
    made.set_cfg(3.)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS)
    return made.sample(FLUX.noise(), torch.zeros(1, *FLUX.latent), comfy.samplers.KSAMPLER(function), sigmas,
                       disable_pbar=True, seed=4)


def auto(**more) -> AutoMethod:
    return AutoMethod(2., lambda quantity, _: general(quantity), general, **more)


def measuring(kept: list) -> AutoMethod:
    return AutoMethod(2., lambda *_: None, general, save=lambda *found: kept.append(found) or "kept")


@pytest.mark.parametrize("guider", [Pair, Halved])
@pytest.mark.parametrize("name", ["sample_euler", "sample_other"])
def test_a_guider_that_gives_something_else_than_one_output(guider, name, caplog):
    """Auto computes everything and measures nothing; the papers' methods have no use for outputs."""
    model, kept = FLUX.build(), []
    full = guided(model, guider, name)
    for method in (auto(), measuring(kept), MeasureMethod(lambda *found: kept.append(found) or "kept")):
        if name == "sample_other" and isinstance(method, MeasureMethod):
            continue  # refuses samplers that it does not know
        caplog.clear()
        patched = attach(model, method, family=ANY_MODEL)
        assert torch.equal(guided(patched, guider, name), full)
        report = last_report(patched)
        assert report.executed == report.total and not report.reused and not report.outcome
        failure, = report.failures
        assert "an evaluation gives a t" in failure and caplog.text.count("an evaluation gives a t") == 1
    assert not kept and not leftovers(model)
    reused = attach(model, BlockDanceMethod())
    assert 0 < distance(guided(reused, guider, name), full) < .1
    assert last_report(reused).reused and not last_report(reused).failures


@dataclass
class Failing:
    """Observes, replans and is told, and fails at one of its calls."""
    error: BaseException
    at: str
    calls: list[str] = field(default_factory=list)

    def _do(self, name: str) -> None:
        self.calls.append(name)
        if name == self.at:
            raise self.error

    def observe(self, *_) -> None:
        self._do("observe")

    def finish(self) -> str:
        self._do("finish")
        return "heard"

    def replan(self, *_) -> None:
        self._do("replan")

    def on_evaluation(self, _) -> None:
        self._do("on_evaluation")

    def on_report(self, _) -> None:
        self._do("on_report")


@dataclass(frozen=True)
class Heard:
    """Computes everything, with somebody listening."""
    failing: Failing
    name: str = "heard"

    def plan(self, schedule, transformer) -> Plan:
        return Plan((COMPUTE,) * schedule.steps)

    def begin(self, schedule, transformer) -> PlanController:
        return PlanController(Setup(self.plan(schedule, transformer), self.failing, self.failing), schedule)


def heard(model, failing: Failing):
    return attach(model, Heard(failing), failing.on_report, on_evaluation=failing.on_evaluation)


ALL = ("observe", "finish", "replan", "on_evaluation", "on_report")


@pytest.mark.parametrize("error", [TypeError("no such thing"), KeyError("x"), torch.OutOfMemoryError("none left"),
                                   AssertionError()], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("at", ALL)
def test_a_listener_that_fails_does_not_cost_the_picture(at, error, caplog):
    model, failing = FLUX.build(), Failing(error, at)
    patched = heard(model, failing)
    assert torch.equal(sample(patched, FLUX, steps=STEPS), sample(model, FLUX, steps=STEPS))
    failure, = last_report(patched).failures
    assert (str(error) or "AssertionError") in failure and caplog.text.count(failure) == 1
    assert failing.calls.count(at) == 1, "asked again after it had failed"
    others = set(ALL) - {at} - ({"finish"} if at == "observe" else set())
    assert others <= set(failing.calls) and not leftovers(model)


@pytest.mark.parametrize("error", [InterruptProcessingException, KeyboardInterrupt])
@pytest.mark.parametrize("at", ALL)
def test_an_interrupt_is_nobodys_failure(at, error):
    model = FLUX.build()
    with pytest.raises(error):
        sample(heard(model, Failing(error(), at)), FLUX, steps=STEPS)
    assert not leftovers(model)


def test_multiply_accumulates_that_cannot_be_counted(monkeypatch):
    def fail(*_):
        raise TypeError("an operator of tomorrow")

    def multiply(*_):
        torch.einsum("ij,jk->ik", torch.ones(2, 2), torch.ones(2, 2))
    model = FLUX.build()
    chain_of(model.model.diffusion_model).blocks[-1].register_forward_pre_hook(multiply)
    patched = attach(model, DeltaCacheMethod(N=1))
    with torch.inference_mode():  # in which ComfyUI runs its nodes
        full = sample(model, FLUX)
        monkeypatch.setattr(counter, "prod", fail)
        assert torch.equal(sample(patched, FLUX), full)
    assert last_report(patched).macs and "an operator of tomorrow" in last_report(patched).savings()


def test_a_pass_whose_options_are_nothing_that_we_know(caplog):
    """Another pack's context window, which is no list of frames and cannot be looked up."""
    def prepare():
        model = FLUX.build()
        model.model_options["transformer_options"]["context_window"] = {"frames": [1, 2]}
        return model
    patched = attach(prepare(), DeltaCacheMethod())
    assert torch.equal(sample(patched, FLUX), sample(prepare(), FLUX))
    report = last_report(patched)
    assert report.executed == report.total and len(report.failures) == 1


@pytest.mark.parametrize("error", [TypeError("no such thing"), torch.OutOfMemoryError("none left")])
def test_a_probe_that_fails_does_not_cost_the_picture(error, monkeypatch):
    def fail(*_):
        raise error
    model = FLUX.build()
    full = sample(model, FLUX)
    assert torch.equal(sample(attach_probe(model, fail), FLUX), full)
    monkeypatch.setattr(Sketcher, "sample", fail)
    patched = attach_probe(model)
    assert torch.equal(sample(patched, FLUX), full)
    assert any(str(error) in note for note in last_similarity(patched).notes) and not leftovers(model)
