"""One sampling run: its plan, its cache and its report, from the first evaluation to the last.

The run travels in the `transformer_options` of that sampling and nowhere else, so nothing is left on modules, nodes,
the MODEL or in globals, and two samplings never meet.
"""

import logging
import threading
import time
from contextlib import nullcontext
from typing import Callable, Hashable, Mapping

import torch
from comfy.model_base import BaseModel
from torch.nn import Module

from ..auto.outputs import Outputs
from ..cache import Anchor, Cache, Stored
from ..chain import Chain
from ..interception import Diverged, Interception, Recorder, Replay
from ..ledger import Ledger
from ..meter import Meter
from ..pace import Pace
from ..plan import COMPUTE, Decision, Kind, Moment, Plan, Reuse
from ..policy import Policy
from ..report import Evaluation, Report
from ..schedule import Schedule
from ..storage import DTYPES
from .architectures import Family, UnsupportedModel
from .clock import Clock
from .conditions import active_at
from .countable import is_compiled, unseen_attention
from .identity import identity
from .memory import has_room

logger = logging.getLogger(__name__)


class Run:
    def __init__(self, policy: Policy, schedule: Schedule, family: Family, diffusion_model: Module,
                 undisturbed: bool = True, on_evaluation: Callable[[Report], None] | None = None):
        transformer = family.transformer_of(diffusion_model)
        plan = policy.plan(schedule, transformer)
        self.report = Report(policy.name, transformer, plan)
        self._family = family
        self._on_evaluation = on_evaluation
        self._clock = Clock(schedule, undisturbed)
        self._pace = Pace(plan)
        self._flow_time = schedule.flow_time
        self._forecaster = plan.forecaster
        self._storage = plan.storage
        self._cache = Cache(plan.forecaster.anchors if plan.forecaster else 1, DTYPES[plan.storage.dtype])
        self._outputs = self._outputs_of(plan, schedule)
        self.listener = plan.listener
        self._adviser = plan.adviser
        self._time = 0.
        self._latent: tuple[int, ...] = ()
        self._ledger = Ledger()
        self._countable: bool | None = None
        self._evaluation: Evaluation | None = None
        self._decision: Decision = COMPUTE
        self._out_of_memory = False
        self._occurrences: dict[Hashable, int] = {}
        self._interceptions: dict[int, Interception] = {}
        self._fits: dict[Module, bool] = {}
        self._lock = threading.Lock()
        self._started: float | None = None

    def close(self) -> None:
        """Account for the run and free what it stored, whatever way it ended."""
        if self._started is not None:
            self.report.seconds = time.perf_counter() - self._started
        self.report.cache_bytes = self._cache.peak_bytes + (self._outputs.peak_bytes if self._outputs else 0)
        self._forget()

    def _outputs_of(self, plan: Plan, schedule: Schedule) -> Outputs | None:
        """The keeper of outputs, where the plan forecasts some."""
        if not any(decision.reuse and decision.reuse.kind is Kind.OUTPUT for decision in plan.decisions):
            return None
        return Outputs(plan.forecaster, schedule.times if self._clock.counts else None)

    def _forget(self) -> None:
        self._cache.clear()
        if self._outputs:
            self._outputs.clear()

    def evaluate(self, predict: Callable, x, timestep, conditions: Mapping[str, list]):
        """One call of the denoiser; the decision for all of its passes is taken here. conditions: of the guider."""
        if self._evaluation is not None:  # a call from within one is a part of it
            return predict()
        step, sigma = self._clock.now(timestep)
        if self._adviser is not None:
            self._take_advice(Moment(step, x, conditions, lambda sigma: active_at(sigma, conditions), self._outputs))
        self._time = self._flow_time.time(sigma)
        self._latent = tuple(x.shape)
        self._decision = COMPUTE if self._out_of_memory else self._pace.decide(step)
        if self._decision.reuse is None and self._forecaster is None:
            self._cache.clear()  # it is stored anew, or needed no more: room for the model meanwhile
        self._occurrences = {}
        self._evaluation = Evaluation(step, self._decision.reuse)
        self.report.evaluations.append(self._evaluation)
        if self._on_evaluation is not None:
            self._on_evaluation(self.report)
        started = time.perf_counter()
        if self._started is None:  # loading the model is not sampling
            self._started = started
        try:
            denoised = predict() if self._outputs is None else self._with_outputs(predict, x, sigma)
            if self.listener is not None:
                self.listener.hear(x, denoised, sigma)
            return denoised
        finally:
            self._evaluation.seconds = time.perf_counter() - started
            self._evaluation.cache_bytes = self._cache.bytes + (self._outputs.bytes if self._outputs else 0)
            self._evaluation = None

    def _take_advice(self, moment: Moment) -> None:
        try:
            plan = self._adviser.advise(moment)
        except (ValueError, RuntimeError) as error:  # the run has a plan to go on by
            self._adviser = None
            self._fail(f"the plan stays as it was at step {moment.step + 1}: {error}")
            return
        if plan is not None:
            self.report.plan, self._forecaster = plan, plan.forecaster
            self._pace.replan(plan, moment.step)
            if self._outputs is not None:
                self._outputs.follow(plan.forecaster)

    def _with_outputs(self, predict: Callable, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """An evaluation whose output is forecast, or kept for forecasts."""
        flow_time, quantity, evaluation = self._flow_time, self._forecaster.quantity, self._evaluation
        if evaluation.reuse and self._outputs.fit(x):
            try:
                forecast = flow_time.denoised(quantity, x, self._outputs.forecast(self._time), sigma)
                self.report.repeat(evaluation)
                return forecast
            except torch.OutOfMemoryError:
                self._run_out_of_memory()
        denoised = predict()
        if self._out_of_memory:
            return denoised
        try:
            value = flow_time.read(quantity, x, denoised, sigma)
            given = self._outputs.computed(self._time, value)
            evaluation.stored.update((reuse, None) for reuse in self._decision.store if reuse.kind is Kind.OUTPUT)
            return denoised if given is value else flow_time.denoised(quantity, x, given, sigma)
        except torch.OutOfMemoryError:
            self._run_out_of_memory()
            return denoised

    def _run_out_of_memory(self) -> None:
        """Nothing is stored or reused any more."""
        self._out_of_memory, self._decision = True, COMPUTE
        self._forget()
        self._fail(f"out of memory at step {self._evaluation.step + 1}, so everything is computed from there on")

    def apply_model(self, forward: Callable, model: BaseModel, x, transformer_options: dict,
                    control: dict | None = None):
        """One pass, with the model's blocks intercepted as the decision says. `forward` may be called twice."""
        outer = self._interceptions.get(id(model))
        if outer is not None:
            with outer.suspended():
                return forward()
        chain = self._chain(model)
        if chain is None or self._evaluation is None:
            return forward()
        if "ar_state" in transformer_options:
            self._fail("frames are made one after the other from the keys and values of every block, so all are "
                       "computed")
            self._omit("frames made one after the other")
            return self._pass(None, COMPUTE, forward, model, chain)
        if self._countable is None:
            self._countable = self._survey(model, transformer_options)
        key = identity(model, x, transformer_options, control)
        with self._lock:
            occurrence = self._occurrences[key] = self._occurrences.get(key, -1) + 1
        return self._surely((key, occurrence), forward, model, chain)

    def _chain(self, model: BaseModel) -> Chain | None:
        """The blocks of a model; None where the plan does not fit it, as for another model in the negative pass."""
        diffusion_model = model.diffusion_model
        if diffusion_model not in self._fits:
            self._fits[diffusion_model] = self._fit(diffusion_model)
        return self._family.chain_of(diffusion_model) if self._fits[diffusion_model] else None

    def _fit(self, diffusion_model: Module) -> bool:
        """Whether the plan is for models like this."""
        planned = self.report.transformer
        try:
            found = self._family.transformer_of(diffusion_model)
        except UnsupportedModel as error:
            self._fail(str(error))
            return False
        if found != planned:
            self._fail(f"a {found.name} of {found.depth} blocks computes them all: the plan is for {planned.name} with "
                       f"{planned.depth}")
        return found == planned

    def _surely(self, key: Hashable, forward: Callable, model: BaseModel, chain: Chain):
        """A pass that reuse cannot fail: if need be it is computed once more, in full."""
        decision = self._decision
        try:
            return self._pass(key, decision, forward, model, chain)
        except Diverged:
            self._cache.drop(key, decision.reuse)
        except torch.OutOfMemoryError:
            if decision == COMPUTE:
                raise
            self._run_out_of_memory()
        return self._pass(key, COMPUTE, forward, model, chain)

    def _pass(self, key: Hashable, decision: Decision, forward: Callable, model: BaseModel, chain: Chain):
        stored = None if decision.reuse is None else self._stored(key, decision.reuse)
        replay = None if stored is None else Replay(chain, decision.reuse, stored)
        spans = [reuse for reuse in decision.store if reuse.kind is not Kind.OUTPUT]
        recorders = tuple(Recorder(chain, reuse) for reuse in spans) if replay is None else ()
        meter = Meter() if self._countable and key is not None and key not in self._ledger else None
        with Interception(chain, replay, recorders, meter) as interception:
            self._interceptions[id(model)] = interception
            try:
                with meter or nullcontext():
                    output = forward()
            finally:
                del self._interceptions[id(model)]
                with self._lock:
                    self._evaluation.executed += interception.executed
        replaced = 0
        if replay is not None:
            replay.finish()
            replaced = replay.replaced
        if interception.executed:  # else another cache has answered in the model's place
            for recorder in recorders:
                self._keep(key, recorder, model)
            if meter is not None:
                self._ledger.enter(key, meter.macs, interception.macs)
        self._ledger.book(self._evaluation, key, decision.reuse.span if replaced else None)
        with self._lock:
            self._evaluation.total += interception.executed + replaced
            self._evaluation.passes += 1
            self._evaluation.misses += bool(self._evaluation.reuse and interception.executed and not replaced)
        return output

    def _stored(self, key: Hashable, reuse: Reuse) -> Stored | None:
        """What replaces a span in this pass, forecast if the plan says so; None where nothing is stored."""
        anchors = self._cache.get(key, reuse)
        if not anchors or self._forecaster is None:
            return anchors[0].stored if anchors else None
        weights = self._forecaster.weights([anchor.time for anchor in anchors], self._time)
        return Stored.weighted([(weight, anchor.stored) for weight, anchor in zip(weights, anchors)])

    def _survey(self, model: BaseModel, transformer_options: dict) -> bool:
        """Whether multiply-accumulates can be counted; what cannot is noted."""
        if compiled := is_compiled(model.diffusion_model, transformer_options):
            self._omit("a model that torch.compile has changed")
        elif attention := unseen_attention(transformer_options):
            self._omit(f"{attention}, whose kernel is no operator of torch")
        return not compiled

    def _omit(self, what: str) -> None:
        with self._lock:
            if (text := f"MACs do not include {what}") not in self.report.uncounted:
                self.report.uncounted.append(text)

    def _keep(self, key: Hashable, recorder: Recorder, model: BaseModel) -> None:
        stored = recorder.stored()
        if stored is not None:
            self._put(key, recorder.reuse, stored, model)
            with self._lock:
                self._evaluation.stored[recorder.reuse] = None
            return
        span = recorder.reuse.span
        self._fail(f"blocks {span.first}-{span.last} could not be stored "
                   f"({recorder.failure or 'the model did not run them exactly once'}), so they are computed")

    def _put(self, key: Hashable, reuse: Reuse, stored: Stored, model: BaseModel) -> None:
        anchor, offload = Anchor(self._time, stored), self._storage.offload == "on"
        if self._storage.offload == "auto":
            with self._lock:
                offload = not has_room(model, self._latent, stored.device)
            if offload:
                self._note(f"what is stored goes to main memory: {stored.device} has none to spare")
        try:
            self._cache.put(key, reuse, anchor, offload)
        except TypeError as error:
            self._cache.dtype = None
            self._fail(f"stored as it is and not as {self._storage.dtype}: {error}")
            self._cache.put(key, reuse, anchor, offload)

    def _note(self, what: str) -> None:
        self._tell(self.report.notes, what, logging.INFO)

    def _fail(self, reason: str) -> None:
        self._tell(self.report.failures, reason, logging.WARNING)

    def _tell(self, told: list[str], what: str, level: int) -> None:
        """Once in the report, once in the log."""
        with self._lock:
            if what in told:
                return
            told.append(what)
        logger.log(level, "%s: %s", self.report.method, what)
