"""What goes wrong in the middle of a run: memory, errors, interrupts. The picture, or the error, is the host's."""

import gc
import logging
from functools import partial

import comfy.sample
import node_helpers
import pytest
import torch
from comfy.model_management import InterruptProcessingException

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.unet import UNETS
from blockdance.blockdance_core.engine import interception
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.unet import UNetMethod
from blockdance.blockdance_core.plan.plan import Kind
from blockdance.tests.host.features.test_control import Residuals
from blockdance.tests.models.tiny import FLUX, Tiny, sample
from blockdance.tests.models.unets import SD
from blockdance.tests.trial import TINIES, Trial, leftovers

METHOD = DeltaCacheMethod(N=2, n_cached=4)
FEATURE = DeltaCacheMethod(N=2, n_cached=4, kind=Kind.FEATURE)


@pytest.fixture(params=TINIES)
def tiny(request) -> Tiny:
    return request.param


class Scarce:
    """Lets a function of the interception run out of memory from one of its calls on."""

    def __init__(self, function, first: int):
        self.calls = 0
        self._function = function
        self._first = first

    def __call__(self, *args):
        self.calls += 1
        if self.calls >= self._first:
            raise torch.OutOfMemoryError("tried to allocate something")
        return self._function(*args)


@pytest.mark.parametrize("function, method, first", [
    ("copy", FEATURE, 1), ("copy", METHOD, 1), ("subtract", METHOD, 1), ("subtract", METHOD, 4),
    ("add", METHOD, 1), ("copy", FEATURE, 3),
], ids=["storing a feature", "storing", "storing a delta", "storing late", "replaying a delta", "replaying"])
def test_no_memory_for_what_is_stored(tiny, function, method, first, monkeypatch, caplog):
    """From there on every block is computed; the first evaluations are as they would have been."""
    full = sample(tiny.build(), tiny)
    scarce = Scarce(getattr(interception, function), first)
    monkeypatch.setattr(interception, function, scarce)
    trial = Trial(tiny)
    caplog.set_level(logging.WARNING, "blockdance")
    picture = trial.sample(partial(sample, tiny=tiny), method)
    report, = trial.reports
    assert scarce.calls == first
    assert len([record for record in caplog.records if "out of memory" in record.message]) == 1
    assert "everything is computed" in report.line()
    if first == 1 and function != "add":
        assert torch.equal(picture, full) and report.cache_bytes == 0
    assert sum(evaluation.reuse is not None for evaluation in report.evaluations) <= first


def out_of_memory(model, calls: int, error: type = torch.OutOfMemoryError) -> list:
    """Makes the last block fail once, at one of its calls."""
    seen = []

    def fail(*_):
        seen.append(1)
        if len(seen) == calls:
            raise error("tried to allocate something")
    model.model.diffusion_model.get_submodule(LAST[type(model.model.diffusion_model).__name__]
                                              ).register_forward_pre_hook(fail)
    return seen


LAST = {"PixArtMS": "blocks.7", "OpenAISignatureMMDITWrapper": "joint_blocks.5", "Flux": "single_blocks.4"}


@pytest.mark.parametrize("calls", [3, 4], ids=["while storing", "while reusing"])
def test_no_memory_for_the_model_while_we_hold_some(tiny, calls):
    """Ours is given back, and the pass is computed once more."""
    trial = Trial(tiny)
    out_of_memory(trial.model, calls)
    assert torch.isfinite(trial.sample(partial(sample, tiny=tiny), METHOD)).all()
    report, = trial.reports
    assert [evaluation.passes for evaluation in report.evaluations] == [1] * 8
    assert all(evaluation.reuse is None for evaluation in report.evaluations[calls:])


def test_no_memory_for_the_model_while_we_hold_none(tiny):
    model = tiny.build()
    out_of_memory(model, 1)
    with pytest.raises(torch.OutOfMemoryError):
        sample(attach(model, DeltaCacheMethod(start=.5)), tiny)
    assert not leftovers(model)


def test_a_pass_that_is_computed_again_keeps_its_residuals(monkeypatch):
    """U-Nets take the residuals of a ControlNet out of their lists."""
    control = node_helpers.conditioning_set_values(
        SD.conditioning(10), {"control": Residuals(SD, .1, 0., 1.), "control_apply_to_uncond": False})
    full = sample(SD.build(), SD, positive=control)
    monkeypatch.setattr(interception, "subtract", Scarce(interception.subtract, 1))
    assert torch.equal(sample(attach(SD.build(), UNetMethod(), family=UNETS), SD, positive=control), full)


@pytest.mark.parametrize("error", [RuntimeError, InterruptProcessingException, KeyboardInterrupt])
@pytest.mark.parametrize("calls", [1, 3, 4])
def test_an_error_in_a_block(tiny, calls, error, runs):
    model = tiny.build()
    full = sample(model, tiny)
    patched = attach(model, METHOD)
    reused = sample(patched, tiny)
    failing = out_of_memory(model, calls, error)
    with pytest.raises(error):
        sample(patched, tiny)
    assert len(failing) == calls and not leftovers(model) and not leftovers(patched)
    assert torch.equal(sample(patched, tiny), reused) and torch.equal(sample(model, tiny), full)
    gc.collect()
    assert [run() for run in runs] == [None] * 3


def test_an_interrupt_between_two_evaluations(runs):
    model = FLUX.build()

    def interrupt(step, *_):
        if step == 3:
            raise InterruptProcessingException
    with pytest.raises(InterruptProcessingException):
        comfy.sample.sample(attach(model, METHOD), FLUX.noise(), 8, 3., "euler", "simple", FLUX.conditioning(10),
                            FLUX.conditioning(20), torch.zeros(1, *FLUX.latent), callback=interrupt, disable_pbar=True)
    gc.collect()
    assert runs[0]() is None and not leftovers(model)
