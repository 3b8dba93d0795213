"""On a GPU the host runs ahead of the device. Reading a number back makes it wait, so the pack does that once a run."""

import sys
from pathlib import Path

import pytest
import torch

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile_library import general
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.methods.variants import Extrapolated, with_storage
from blockdance.tests.documents import ROOT
from blockdance.tests.models.tiny import FLUX, PIXART, sample

PACK = str(ROOT / "blockdance_core")
TORCH = str(Path(torch.__file__).parent)
# Of a latent that moves the pack reads on the CPU at once, and elsewhere without waiting:
# tests/core/engine/test_device_alarm.py
AT_ONCE_ON_A_CPU = "moved_latent.py"
# What brings numbers of a tensor to the host, and what needs them there to know a shape
READS = ("item", "tolist", "numpy", "cpu", "nonzero", "__float__", "__int__", "__bool__", "__index__", "__contains__",
         "masked_select")
METHODS = [BlockDanceMethod(), DeltaCacheMethod(), DeltaDiTMethod(), Extrapolated(DeltaCacheMethod(), "quadratic"),
            AutoMethod(2., lambda *_: None, general), with_storage(DeltaCacheMethod(), "fp8", "auto")]


@pytest.fixture
def readers(monkeypatch) -> list[str]:
    """The functions of the pack that read a tensor themselves, in order."""
    found: list[str] = []

    def watch(name: str) -> None:
        original = getattr(torch.Tensor, name)

        def read(*args, **kwargs):
            frame = sys._getframe(1)
            while frame.f_code.co_filename.startswith(TORCH):
                frame = frame.f_back
            file = frame.f_code.co_filename
            if file.startswith(PACK) and not file.endswith(AT_ONCE_ON_A_CPU):
                found.append(frame.f_code.co_name)
            return original(*args, **kwargs)
        monkeypatch.setattr(torch.Tensor, name, read)
    for name in READS:
        watch(name)
    return found


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("tiny", [FLUX, PIXART], ids=["flux", "pixart"])
def test_a_counted_sampler_never_waits(tiny, method, readers):
    """What is read is the schedule, when the run begins; the node's own look at it is not part of a run. Auto compares
    what it computes with its forecast, once an evaluation."""
    patched = attach(tiny.build(), method)
    readers.clear()
    sample(patched, tiny)
    computed = sum(evaluation.reuse is None for evaluation in last_report(patched).evaluations)
    compared = computed - 1 if isinstance(method, AutoMethod) else 0
    assert readers == ["_sample", *["_breaks"] * compared]


def test_other_samplers_wait_once_an_evaluation(readers):
    patched = attach(FLUX.build(), DeltaCacheMethod())
    readers.clear()
    sample(patched, FLUX, steps=4, sampler="heun")
    assert readers == ["_sample", *["now"] * 7]
