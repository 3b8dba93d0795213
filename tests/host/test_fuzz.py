"""Random plans, conditions and samplers: no exception, no cross-talk, and memory back to the byte after each case.

60 cases by default; `BLOCKDANCE_FUZZ=2000 python3 -m tests tests/host/test_fuzz.py` runs more.
"""

import gc
import os
import weakref
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from unittest import mock

import comfy.model_patcher
import comfy.samplers
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from blockdance.blockdance_core.host import attach as attach_module
from blockdance.blockdance_core.host.run import Run
from blockdance.blockdance_core.plan import Kind, Plan, Reuse, Span
from blockdance.tests.host.test_matrix_conditions import NEGATIVE, NEGATIVES, POSITIVE, POSITIVES
from blockdance.tests.host.tiny import FLUX, PIXART, SD3, sample
from blockdance.tests.host.trial import Trial, guided_by

TINIES = {"flux": FLUX, "sd3": SD3, "pixart": PIXART}


@dataclass(frozen=True)
class RandomPolicy:
    """A step reuses what the list says, which is repeated as often as the run has steps."""
    reuses: tuple[tuple[float, float, Kind] | None, ...]
    name = "Random"

    def plan(self, schedule, transformer) -> Plan:
        reuses = [self._reuse(self.reuses[step % len(self.reuses)], transformer.depth) if step else None
                  for step in range(schedule.steps)]
        return Plan.from_reuses(reuses)

    def _reuse(self, drawn, depth: int) -> Reuse | None:
        if drawn is None:
            return None
        first, last = sorted(int(share * (depth - 1e-6)) for share in drawn[:2])
        return Reuse(Span(first, last), drawn[2])


SHARES = st.floats(0., 1.)
REUSES = st.one_of(st.none(), st.tuples(SHARES, SHARES, st.sampled_from(Kind)))
# Few distinct ones, so that groups come about
POLICIES = st.lists(REUSES, min_size=1, max_size=3).flatmap(
    lambda few: st.lists(st.sampled_from(few), min_size=1, max_size=8)).map(tuple).map(RandomPolicy)


@dataclass(frozen=True)
class Case:
    model: str
    policy: RandomPolicy
    sampler: str
    scheduler: str
    steps: int
    batch: int
    cfg: float
    denoise: float
    positive: str
    negative: str
    apart: bool
    wanted: str

    def sampling(self, moved: int | None = None):
        """`moved`: the condition that is given another prompt."""
        tiny = TINIES[self.model]
        seeds = {seed: seed + 500 * (seed == moved) for seed in (POSITIVE, NEGATIVE)}
        return lambda model: sample(
            model, tiny, self.steps, self.sampler, self.scheduler, self.cfg, self.denoise, batch=self.batch,
            positive=POSITIVES[self.positive](tiny, seeds[POSITIVE]),
            negative=NEGATIVES[self.negative](tiny, seeds[NEGATIVE]))

    @property
    def free_memory(self):
        patcher = comfy.model_patcher.ModelPatcher
        return mock.patch.object(patcher, "get_free_memory", lambda *_: 0) if self.apart else nullcontext()


CASES = st.builds(
    Case, model=st.sampled_from(["flux", "flux", "flux", "sd3", "sd3", "pixart"]), policy=POLICIES,  # fast ones more
    sampler=st.sampled_from(comfy.samplers.SAMPLER_NAMES), scheduler=st.sampled_from(comfy.samplers.SCHEDULER_NAMES),
    steps=st.integers(1, 7), batch=st.integers(1, 2), cfg=st.sampled_from([1., 3.]),
    denoise=st.sampled_from([1., 1., .6]), positive=st.sampled_from(list(POSITIVES)),
    negative=st.sampled_from(list(NEGATIVES)), apart=st.booleans(), wanted=st.sampled_from(["cond", "uncond"]))


@lru_cache(maxsize=None)
def trial(model: str, wanted: str) -> Trial:
    """One for all cases, which have to leave it as it is."""
    return Trial(TINIES[model], guided_by(wanted))


@pytest.fixture(autouse=True, scope="module")
def models():
    """Made before the cases, and then left out of the garbage collections."""
    for model in TINIES:
        for wanted in ("cond", "uncond"):
            tiny = TINIES[model]
            trial(model, wanted).sample(lambda patcher, tiny=tiny: sample(patcher, tiny, steps=1))
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    trial.cache_clear()


def held() -> int:
    """Bytes of all tensors that are alive."""
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if type(thing) in (torch.Tensor, torch.nn.Parameter):
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


@settings(max_examples=int(os.environ.get("BLOCKDANCE_FUZZ", 60)), deadline=None,
          suppress_health_check=list(HealthCheck))
@given(CASES)
def test_anything(case):
    assume(case.steps > 1 or case.scheduler != "kl_optimal")  # which divides by zero for a single step
    runs = []

    class Watched(Run):
        def __init__(self, *args):
            super().__init__(*args)
            runs.append(weakref.ref(self))
    tried = trial(case.model, case.wanted)
    with case.free_memory, mock.patch.object(attach_module, "Run", Watched):
        full = tried.sample(case.sampling())
        before = held()
        picture = tried.sample(case.sampling(), case.policy)
        report, = tried.reports
        assert not report.failures
        if report.executed == report.total and case.sampler != "dpm_adaptive":
            assert torch.equal(picture, full)
        if "cfg_pp" not in case.sampler:  # these mix the two conditions themselves
            moved = NEGATIVE if case.wanted == "cond" else POSITIVE
            assert torch.equal(tried.sample(case.sampling(moved), case.policy), picture)
        assert torch.equal(tried.sample(case.sampling()), full)
        del picture
        assert held() == before
    assert runs and not any(run() for run in runs)
