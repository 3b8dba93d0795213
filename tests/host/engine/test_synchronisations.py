"""On a GPU the host runs ahead of the device. Reading a number back makes it wait, so the pack does that once a run."""

import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from comfy.samplers import CFGGuider

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.engine import moved_latent
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.methods.method import Extrapolated, with_storage
from blockdance.tests.documents import ROOT
from blockdance.tests.models.tiny import FLUX, PIXART, sample

PACK = str(ROOT / "blockdance_core")
TORCH = str(Path(torch.__file__).parent)
# Of a latent that moves the pack reads on the CPU at once, and elsewhere without waiting:
# tests/core/engine/test_device_alarm.py
AT_ONCE_ON_A_CPU = moved_latent.__file__
# What brings numbers of a tensor to the host, and what needs them there to know a shape
READS = ("item", "tolist", "numpy", "cpu", "nonzero", "__float__", "__int__", "__bool__", "__index__", "__contains__",
         "masked_select")
METHODS = [BlockDanceMethod(), DeltaCacheMethod(), DeltaDiTMethod(), Extrapolated(DeltaCacheMethod(), "quadratic"),
            AutoMethod(2., lambda *_: None, general), with_storage(DeltaCacheMethod(), "fp8", "auto")]


class Reads:
    """How often the pack itself reads a tensor: before the first evaluation of a run, and in each."""

    def __init__(self):
        self.evaluation = 0  # from 1; 0 before the first
        self._counted: Counter[int] = Counter()

    def add(self) -> None:
        self._counted[self.evaluation] += 1

    def of_run(self, patched, tiny, **settings) -> list[int]:
        """What is read when a method is put on a model is not part of a run."""
        self._counted.clear()
        sample(patched, tiny, **settings)
        return [self._counted[number] for number in range(self.evaluation + 1)]


@pytest.fixture
def reads(monkeypatch) -> Reads:
    found, call = Reads(), CFGGuider.__call__

    def evaluation(*args, **kwargs):
        found.evaluation += 1
        return call(*args, **kwargs)
    monkeypatch.setattr(CFGGuider, "__call__", evaluation)

    def watch(name: str) -> None:
        original = getattr(torch.Tensor, name)

        def read(*args, **kwargs):
            frame = sys._getframe(1)
            while frame.f_code.co_filename.startswith(TORCH):
                frame = frame.f_back
            file = frame.f_code.co_filename
            if file.startswith(PACK) and file != AT_ONCE_ON_A_CPU:
                found.add()
            return original(*args, **kwargs)
        monkeypatch.setattr(torch.Tensor, name, read)
    for name in READS:
        watch(name)
    return found


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("tiny", [FLUX, PIXART], ids=["flux", "pixart"])
def test_a_counted_sampler_never_waits(tiny, method, reads):
    """What is read is the schedule, when the run begins. Auto compares what it computes with its forecast, for which it
    needs an output before."""
    patched = attach(tiny.build(), method)
    before, first, *others = reads.of_run(patched, tiny)
    compares = [isinstance(method, AutoMethod) and evaluation.reuse is None
                for evaluation in last_report(patched).evaluations]
    assert (before, first) == (1, 0) and others == compares[1:]


def test_other_samplers_wait_once_an_evaluation(reads):
    patched = attach(FLUX.build(), DeltaCacheMethod())
    assert reads.of_run(patched, FLUX, steps=4, sampler="heun") == [1] * 8
