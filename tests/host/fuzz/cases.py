"""Random ways of sampling: a method or a random plan, on a model, with conditions, a sampler and an interrupt."""

import re
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from unittest import mock

import comfy.model_patcher
import comfy.samplers
from hypothesis import strategies as st

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.methods.method import Extrapolated, Method
from blockdance.blockdance_core.plan.plan import Kind, Plan, Reuse, Span
from blockdance.tests.host.features.test_conditions import NEGATIVE, NEGATIVES, POSITIVE, POSITIVES
from blockdance.tests.host.features.test_control import controlled
from blockdance.tests.models.tiny import PIXART, Tiny, sample
from blockdance.tests.models.zoo import ZOO

# Fast ones, with one stack and two, one hidden state and two, pictures and videos, residuals and none; all of at least
# four blocks and with a latent that can be divided into areas
MODELS = {name: ZOO[name] for name in (
    "Flux.1", "SD3", "AuraFlow", "Lumina 2", "Qwen-Image", "HunyuanVideo", "Wan 2.1", "CogVideoX", "Krea 2")
    if ZOO[name].model} | {"PixArt-Sigma": PIXART.of_depth(4)}
CONTROLLED = POSITIVES | {"control": lambda tiny, seed: controlled(tiny, end=.7, seed=seed)}


FORECASTS = st.sampled_from(["linear", "quadratic"])


@dataclass(frozen=True)
class RandomMethod:
    """A step reuses what the list says, which is repeated as often as the run has steps."""
    reuses: tuple[tuple[float, float, Kind] | None, ...]
    name = "random spans"

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
# Most cases are to reuse something, hence what is there twice
INTERVALS = st.sampled_from([2, 3, 2, 4, 3, 1])
STARTS, ENDS = st.sampled_from([0., .2, 0., .4, 0., .9]), st.sampled_from([1., .95, 1., .7, 1., .1])
SPANS = st.tuples(SHARES, SHARES, st.sampled_from(Kind))
REUSES = st.one_of(SPANS, SPANS, st.none())
# Few distinct ones, so that groups come about
RANDOM = st.lists(REUSES, min_size=1, max_size=3).flatmap(
    lambda few: st.lists(st.sampled_from(few), min_size=2, max_size=8)).map(tuple).map(RandomMethod)
PAPERS = st.one_of(
    st.builds(BlockDanceMethod, N=INTERVALS, block_index=st.integers(-1, 3), start=STARTS, end=ENDS),
    st.builds(DeltaCacheMethod, N=INTERVALS, first_block=st.integers(0, 2), n_cached=st.integers(1, 2), start=STARTS,
              end=ENDS, kind=st.sampled_from(Kind)),
    st.builds(DeltaDiTMethod, N=INTERVALS, b=SHARES, n_cached=st.sampled_from([-1, 1, 4])),
    st.builds(DeltaDiTMethod, budget=st.floats(.3, .9)))
METHODS = st.one_of(
    RANDOM, PAPERS, PAPERS, st.builds(Extrapolated, RANDOM, FORECASTS), st.builds(Extrapolated, PAPERS, FORECASTS),
    st.builds(AutoMethod, speedup=st.sampled_from([2., 3., 1.5, 1.]), measured=st.just(lambda *_: None),
              fallback=st.just(general)))


@dataclass(frozen=True)
class Case:
    """wanted: the condition that the guidance takes its result from; apart: cond and uncond in two calls;
    interrupted: the call of a block in the middle of the model at which a run is stopped."""
    model: str
    method: Method
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
    interrupted: int

    @property
    def kind_of_method(self) -> str:
        """The method's name without its numbers."""
        name, *forecast = self.method.name.split(", ")
        return ", ".join([re.split(r" (N=|budget|[\d.]+x)", name)[0], *forecast])

    @property
    def tiny(self) -> Tiny:
        return MODELS[self.model]

    @property
    def beyond_the_host(self) -> bool:
        """Whether ComfyUI itself fails on it."""
        divides_by_zero = self.scheduler == "kl_optimal" and self.steps == 1
        bounds_of_a_video = self.positive == "bounds" and len(self.tiny.latent) > 3
        return divides_by_zero or bounds_of_a_video

    @property
    def other(self) -> int:
        """The condition that is not wanted."""
        return NEGATIVE if self.wanted == "cond" else POSITIVE

    def sampling(self, moved: int | None = None):
        """`moved`: the condition that is given another prompt."""
        seeds = {seed: seed + 500 * (seed == moved) for seed in (POSITIVE, NEGATIVE)}
        return partial(
            sample, tiny=self.tiny, steps=self.steps, sampler=self.sampler, scheduler=self.scheduler, cfg=self.cfg,
            denoise=self.denoise, batch=self.batch, positive=CONTROLLED[self.positive](self.tiny, seeds[POSITIVE]),
            negative=NEGATIVES[self.negative](self.tiny, seeds[NEGATIVE]))

    @property
    def free_memory(self):
        patcher = comfy.model_patcher.ModelPatcher
        return mock.patch.object(patcher, "get_free_memory", lambda *_: 0) if self.apart else nullcontext()


CASES = st.builds(
    Case, model=st.sampled_from(list(MODELS)), method=METHODS, steps=st.sampled_from([6, 5, 6, 4, 3, 5, 2, 1]),
    sampler=st.sampled_from(comfy.samplers.SAMPLER_NAMES), scheduler=st.sampled_from(comfy.samplers.SCHEDULER_NAMES),
    batch=st.integers(1, 2), cfg=st.sampled_from([1., 3.]), denoise=st.sampled_from([1., 1., .6]),
    positive=st.sampled_from(list(CONTROLLED)), negative=st.sampled_from(list(NEGATIVES)), apart=st.booleans(),
    wanted=st.sampled_from(["cond", "uncond"]), interrupted=st.integers(1, 6))
