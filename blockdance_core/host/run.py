"""One sampling run: its plan, its cache and its report, from the first evaluation to the last.

The run travels in the `transformer_options` of that sampling and nowhere else, so nothing is left on modules, nodes,
the MODEL or in globals, and two samplings never meet.
"""

import logging
import threading
import time
from typing import Callable, Hashable, Protocol

from comfy.model_base import BaseModel
from torch.nn import Module

from ..cache import Cache
from ..interception import Interception, Recorder, Replay
from ..plan import COMPUTE, Decision, Plan, Transformer
from ..report import Evaluation, Report
from ..schedule import Schedule
from .architectures import Family, UnsupportedModel
from .clock import Clock

logger = logging.getLogger(__name__)


class Policy(Protocol):
    """What a method has to offer: a name for people, and a plan for a run of a model."""
    name: str

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        """One decision per step. Raises ValueError where the settings do not fit the model."""


class Run:
    def __init__(self, policy: Policy, schedule: Schedule, family: Family, diffusion_model: Module, sampler: object):
        transformer = family.transformer_of(diffusion_model)
        plan = policy.plan(schedule, transformer)
        self._chain_of = family.chain_of
        self.report = Report(policy.name, transformer, plan)
        self._clock = Clock(schedule, sampler)
        self._cache = Cache()
        self._decision: Decision = COMPUTE
        self._occurrences: dict[Hashable, int] = {}
        self._interceptions: dict[int, Interception] = {}
        self._lock = threading.Lock()
        self._started: float | None = None

    def close(self) -> None:
        """Account for the run and free what it stored, whatever way it ended."""
        if self._started is not None:
            self.report.seconds = time.perf_counter() - self._started
        self.report.cache_bytes = self._cache.peak_bytes
        self._cache.clear()

    def evaluate(self, predict: Callable, timestep):
        """One call of the denoiser; the decision for all of its passes is taken here."""
        step = self._clock.step(timestep)
        self._decision = self.report.plan.decisions[step]
        self._occurrences = {}
        evaluation = Evaluation(step, self._decision.reuse)
        self.report.evaluations.append(evaluation)
        started = time.perf_counter()
        if self._started is None:  # loading the model is not sampling
            self._started = started
        try:
            return predict()
        finally:
            evaluation.seconds = time.perf_counter() - started

    def apply_model(self, forward: Callable, model: BaseModel, x, transformer_options: dict):
        """One pass, with the model's blocks intercepted as the decision says."""
        outer = self._interceptions.get(id(model))
        if outer is not None:
            with outer.suspended():
                return forward()
        try:
            chain = self._chain_of(model.diffusion_model)
        except UnsupportedModel as error:
            self._fail(str(error))
            return forward()
        key, decision = self._key(model, x, transformer_options), self._decision
        stored = None if decision.reuse is None else self._cache.get(key, decision.reuse)
        missed = decision.reuse is not None and stored is None
        replay = None if stored is None else Replay(chain, decision.reuse, stored)
        recorders = tuple(Recorder(chain, reuse) for reuse in ((decision.reuse,) if missed else decision.store))
        with Interception(chain, replay, recorders) as interception:
            self._interceptions[id(model)] = interception
            try:
                output = forward()
            finally:
                del self._interceptions[id(model)]
        for recorder in recorders:
            self._keep(key, recorder)
        missed = missed or (replay is not None and replay.refused)
        with self._lock:
            self._account(interception.executed, len(chain.blocks), missed)
        return output

    def _key(self, model: BaseModel, x, transformer_options: dict) -> Hashable:
        """What tells this pass from every other: two passes share what is stored only if all of it is equal."""
        conditions = tuple(zip(transformer_options.get("uuids", ()), transformer_options.get("cond_or_uncond", ())))
        window = transformer_options.get("context_window")
        frames = None if window is None else tuple(getattr(window, "index_list", (id(window),)))
        key = (id(model), conditions, frames, _patches(transformer_options), tuple(x.shape), x.dtype, x.device)
        with self._lock:
            occurrence = self._occurrences[key] = self._occurrences.get(key, -1) + 1
        return key, occurrence

    def _keep(self, key: Hashable, recorder: Recorder) -> None:
        stored = recorder.stored()
        if stored is not None:
            self._cache.put(key, recorder.reuse, stored)
            return
        self._cache.drop(key, recorder.reuse)
        span = recorder.reuse.span
        self._fail(f"blocks {span.first}-{span.last} could not be stored "
                   f"({recorder.failure or 'the model did not run them exactly once'}), so they are computed")

    def _account(self, executed: int, blocks: int, missed: bool) -> None:
        evaluation = self.report.evaluations[-1]
        evaluation.executed += executed
        evaluation.total += blocks
        evaluation.passes += 1
        evaluation.misses += missed

    def _fail(self, reason: str) -> None:
        if reason not in self.report.failures:
            self.report.failures.append(reason)
            logger.warning("%s: %s", self.report.method, reason)


def _patches(transformer_options: dict) -> Hashable:
    """Which patches are active in a pass (perturbed guidance, adapters), by place and name.

    Names, not identities: some nodes make their patch functions anew for every evaluation.
    """
    replaced = ((kind, place, _name(patch))
                for kind, patches in transformer_options.get("patches_replace", {}).items()
                for place, patch in patches.items())
    added = ((kind, _name(patch))
             for kind, patches in transformer_options.get("patches", {}).items() for patch in patches)
    return frozenset(replaced), tuple(added)


def _name(patch: object) -> str:
    return getattr(patch, "__qualname__", type(patch).__qualname__)
