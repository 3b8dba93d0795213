"""Random plans, conditions and samplers: no exception, no cross-talk, and memory back to the byte after each case.

25 cases by default. The full run, which writes its record to docs/internals/fuzz.md, takes about half an hour:

    BLOCKDANCE_FUZZ=2000 python3 -m tests tests/host/fuzz/test_fuzz.py

BLOCKDANCE_FUZZ_SEED=1 draws other cases; the default seed is 0.
"""

import gc
import os
import weakref
from functools import lru_cache, partial
from unittest import mock

import pytest
import torch
from comfy.model_management import InterruptProcessingException
from hypothesis import HealthCheck, assume, given, seed, settings

from blockdance.blockdance_core.comfy import attach as attach_module
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.tests.host.fuzz.cases import CASES, MODELS, Case
from blockdance.tests.host.fuzz.record import Record
from blockdance.tests.models.tiny import sample
from blockdance.tests.trial import Trial, guided_by, leftovers, watched

COUNT, SEED = int(os.environ.get("BLOCKDANCE_FUZZ", 25)), int(os.environ.get("BLOCKDANCE_FUZZ_SEED", 0))
RECORDED = 2000  # from this number of cases on a run is worth a record


@lru_cache(maxsize=None)
def trial(model: str, wanted: str) -> Trial:
    """One for all cases, which have to leave it as it is."""
    return Trial(MODELS[model], guided_by(wanted))


def unpatched(model: str, wanted: str) -> torch.Tensor:
    return trial(model, wanted).sample(partial(sample, tiny=MODELS[model], steps=1))


@lru_cache(maxsize=None)
def unpatched_at_first(model: str, wanted: str) -> torch.Tensor:
    return unpatched(model, wanted)


@pytest.fixture(autouse=True, scope="module")
def models():
    """Made before the cases, and then left out of the garbage collections."""
    for model in MODELS:
        for wanted in ("cond", "uncond"):
            unpatched_at_first(model, wanted)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    trial.cache_clear()
    unpatched_at_first.cache_clear()


def held() -> int:
    """Bytes of all tensors that are alive."""
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if type(thing) in (torch.Tensor, torch.nn.Parameter):
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def weights(tried: Trial) -> list[tuple[int, int]]:
    """Where the weights are, and how often they were written to."""
    return [(parameter.data_ptr(), parameter._version) for parameter in tried.model.model.parameters()]


def interrupt(tried: Trial, case: Case) -> bool:
    """Stop a run at a call of the model's middle block; whether it came to that call."""
    blocks, calls = chain_of(tried.model.model.diffusion_model).blocks, []

    def stop(*_):
        calls.append(1)
        if len(calls) == case.interrupted:
            raise InterruptProcessingException
    handle = blocks[len(blocks) // 2].register_forward_pre_hook(stop)
    try:
        tried.sample(case.sampling(), case.method)
    except InterruptProcessingException:
        return True
    finally:
        handle.remove()
    return False


def check(case: Case) -> dict[str, int]:
    """All that has to hold for a case; what was executed in it."""
    runs: list[weakref.ref] = []
    tried = trial(case.model, case.wanted)
    with case.free_memory, mock.patch.object(attach_module, "Run", watched(runs)):
        full = tried.sample(case.sampling())
        before, untouched = held(), weights(tried)
        picture = tried.sample(case.sampling(), case.method)
        report, = tried.reports
        assert not report.failures
        if report.executed == report.total and case.sampler != "dpm_adaptive":
            assert torch.equal(picture, full), "nothing reused, and yet another picture"
        if "cfg_pp" not in case.sampler:  # these mix the two conditions themselves
            assert torch.equal(tried.sample(case.sampling(case.other), case.method), picture), "cross-talk"
        stopped = interrupt(tried, case)
        assert not leftovers(tried.model) and weights(tried) == untouched
        del picture
        assert held() == before, "tensors were kept"
    assert torch.equal(unpatched(case.model, case.wanted), unpatched_at_first(case.model, case.wanted))
    assert runs and not any(run() for run in runs)
    gc.freeze()  # what hypothesis remembers of its cases would make each garbage collection longer than the last
    return {"evaluations": len(report.evaluations), "blocks": report.total,
            "blocks replaced": report.total - report.executed, "cases that reuse": report.executed < report.total,
            "runs interrupted": stopped}


def test_anything():
    record = Record(SEED)

    @settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck))
    @seed(SEED)
    @given(CASES)
    def each(case):
        assume(not case.beyond_the_host)
        record.add(case, check(case))
    each()
    assert record.cases >= COUNT * .9 and record.totals["cases that reuse"] > record.cases / 4
    if COUNT >= RECORDED:
        record.write()
