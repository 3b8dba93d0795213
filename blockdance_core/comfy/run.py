"""One sampling run: its plan, its evaluations and its report, from the first to the last.

The run travels in the `transformer_options` of that sampling and nowhere else, so nothing is left on modules, nodes,
the MODEL or in globals, and two samplings never meet.
"""

import time
from dataclasses import replace
from typing import Callable, Mapping

import torch
from comfy.model_base import BaseModel
from torch.nn import Module

from ..auto.outputs import Outputs
from ..engine.report import Evaluation, Report
from ..engine.step_groups import StepGroups
from ..methods.method import Method
from ..plan.plan import COMPUTE, Decision, Kind, Moment, Plan
from ..plan.schedule import Schedule
from .conditions import active_at
from .messages import Messages, words_of
from .models.architectures import Family
from .moving_parts import Watch
from .passes import Current, Passes
from .step_tracking import StepTracker


class Run:
    """undisturbed: whether no wrapper but ours is around its evaluations."""

    def __init__(self, method: Method, schedule: Schedule, family: Family, diffusion_model: Module,
                 undisturbed: bool = True, on_evaluation: Callable[[Report], None] | None = None):
        transformer = family.transformer_of(diffusion_model)
        started = time.perf_counter()
        plan = method.plan(schedule, transformer)
        planning = time.perf_counter() - started
        own = schedule.sampler.known and undisturbed
        if plan.sampler is not None:
            schedule = replace(schedule, sampler=plan.sampler)
        self.report = Report(method.name, transformer, plan, planning_seconds=planning)
        self.messages = Messages(self.report)
        self.listener = plan.listener
        self._on_evaluation = on_evaluation
        self._clock = StepTracker(schedule, undisturbed)
        self._flow_time = schedule.flow_time
        self._groups = StepGroups(plan, {stretch.steps[0] for stretch in schedule.stretches})
        self._adviser = plan.adviser
        reuses = bool(plan.reused_steps or plan.adviser)
        self._watch = Watch(own) if reuses else None
        self._passes = Passes(self.report, family, self.messages, self._watch, self._run_out_of_memory,
                              self._give_up_now)
        self._outputs = self._outputs_of(plan, schedule)
        self._current: Current | None = None
        self._gave_up = False
        self._started: float | None = None

    @property
    def cache_bytes(self) -> int:
        """What is stored now."""
        return self._passes.cache.bytes + (self._outputs.bytes if self._outputs else 0)

    def close(self) -> None:
        """Account for the run and free what it stored, whatever way it ended."""
        if self._started is not None:
            self.report.seconds = time.perf_counter() - self._started
        self.report.cache_bytes = self._passes.cache.peak_bytes + (self._outputs.peak_bytes if self._outputs else 0)
        self._forget()

    def _outputs_of(self, plan: Plan, schedule: Schedule) -> Outputs | None:
        """The keeper of outputs, where the plan forecasts some."""
        if not any(decision.reuse and decision.reuse.kind is Kind.OUTPUT for decision in plan.decisions):
            return None
        return Outputs(plan.extrapolation, schedule.stretches if self._clock.counts else ())

    def _forget(self) -> None:
        self._passes.forget()
        if self._outputs:
            self._outputs.clear()

    def evaluate(self, predict: Callable, x, timestep, conditions: Mapping[str, list], whole: bool = True):
        """One call of the denoiser; the decision for all of its passes is taken here. conditions: of the guider; whole:
        whether all that the sampler takes from it is the result, as far as can be seen."""
        if self._current is not None:  # a call from within one is a part of it
            return predict()
        step, sigma = self._clock.now(timestep)
        time_now = self._flow_time.time(sigma)
        self._check_outputs(whole)
        if self._watch is not None and not self._gave_up:
            self._look(self._watch, x, time_now)
        if self._adviser is not None:
            self._take_advice(Moment(step, x, conditions, lambda sigma: active_at(sigma, conditions), self._outputs))
        decision = self._decide(step)
        if decision.reuse is None:
            self._passes.cache.begin_group()
        evaluation = Evaluation(step, decision.reuse)
        self._current = Current(evaluation, decision, time_now, x)
        self.report.evaluations.append(evaluation)
        self._tell_evaluation()
        started = time.perf_counter()
        if self._started is None:  # loading the model is not sampling
            self._started = started
        try:
            denoised = predict() if self._outputs is None else self._with_outputs(predict, x, sigma)
            if self.listener is not None:
                self._hear(x, denoised, sigma, whole)
            return denoised
        finally:
            self._passes.finish(self._current)
            evaluation.seconds = time.perf_counter() - started
            evaluation.cache_bytes = self.cache_bytes
            self._current = None

    def apply_model(self, forward: Callable, model: BaseModel, x, transformer_options: dict,
                    control: dict | None = None):
        """One pass of the evaluation that is going on. `forward` may be called twice."""
        if self._current is None:
            return forward()
        return self._passes.apply_model(self._current, forward, model, x, transformer_options, control)

    def _check_outputs(self, whole: bool) -> None:
        """Before an evaluation: whether what forecasts rely on is still so."""
        if self._outputs is None or self._gave_up:
            return
        if not whole:
            self._give_up("this sampler takes more from an evaluation than its output, and only that was to be "
                          "forecast, so everything is computed")
        elif self._outputs.on_course and not self._clock.counts:
            self._outputs.leave_course()
            self.messages.note("the sampler or another node changes which evaluations there are, so that each forecast "
                              "stands for itself")

    def _look(self, watch: Watch, latent, time: float) -> None:
        """Before an evaluation: whether its latent goes on where the one before was."""
        reason = "it is not known whether the latent of an evaluation goes on where it was"
        with self.messages.survive(reason):
            watch.evaluation(latent, time)
            reason = ""
        if reason:
            self._give_up(f"{reason}: everything is computed")

    def _decide(self, step: int) -> Decision:
        if self._gave_up:
            return COMPUTE
        decision = self._groups.decide(step)
        if decision.reuse is not None and self._watch is not None and (reason := self._watch.rings()):
            self._give_up(f"{reason}: everything is computed from step {step + 1} on")
            return COMPUTE
        return decision

    def _tell_evaluation(self) -> None:
        if self._on_evaluation is None:
            return
        tell, self._on_evaluation = self._on_evaluation, None
        with self.messages.survive("the run is not shown while it goes on"):
            tell(self.report)
            self._on_evaluation = tell

    def _hear(self, latent, denoised, sigma: float, whole: bool) -> None:
        """Let the listener hear an evaluation; where it cannot, it hears nothing any more."""
        listener, self.listener = self.listener, None
        if (found := unlike(denoised, latent)):
            if not self._gave_up:  # for the same reason
                self.messages.fail(f"nothing was measured in this run: an evaluation gives {found}")
            return
        with self.messages.survive("nothing was measured in this run"):
            listener.hear(latent, denoised, sigma, whole)
            self.listener = listener

    def _take_advice(self, moment: Moment) -> None:
        adviser, self._adviser = self._adviser, None
        started = time.perf_counter()
        with self.messages.survive(f"the plan stays as it was at step {moment.step + 1}"):
            plan = adviser.advise(moment)
            if plan is not None:
                self._groups.replan(plan, moment.step)
                if self._outputs is not None:
                    self._outputs.follow(plan.extrapolation)
                self.report.plan = plan
            self._adviser = adviser
        self.report.planning_seconds += time.perf_counter() - started

    def _with_outputs(self, predict: Callable, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """An evaluation whose output is forecast, or kept for forecasts."""
        flow_time, quantity = self._flow_time, self.report.plan.extrapolation.quantity
        current, evaluation = self._current, self._current.evaluation
        if evaluation.reuse and evaluation.reuse.kind is Kind.OUTPUT and self._outputs.fit(x):
            try:
                forecast = flow_time.denoised(quantity, x, self._outputs.forecast(current.time), sigma)
                self.report.repeat(evaluation)
                return forecast
            except torch.OutOfMemoryError:
                self._run_out_of_memory()
            except Exception as error:  # the evaluation can be computed
                self._give_up_now(f"an output cannot be forecast ({words_of(error)})")
        denoised = predict()
        if self._gave_up:
            return denoised
        if (found := unlike(denoised, x)):
            self._give_up_now(f"an evaluation gives {found}, and only such a tensor can be forecast")
            return denoised
        try:
            value = flow_time.read(quantity, x, denoised, sigma)
            given = self._outputs.computed(current.time, value)
            evaluation.stored.update((reuse, None) for reuse in current.decision.store if reuse.kind is Kind.OUTPUT)
            return denoised if given is value else flow_time.denoised(quantity, x, given, sigma)
        except torch.OutOfMemoryError:
            self._run_out_of_memory()
        except Exception as error:  # the evaluation is computed
            self._give_up_now(f"an output cannot be kept for forecasts ({words_of(error)})")
        return denoised

    def _give_up_now(self, reason: str) -> None:
        """Nothing is reused any more, the evaluation that goes on included."""
        current = self._current
        current.decision = COMPUTE
        if current.evaluation.executed == current.evaluation.total:
            current.evaluation.reuse = None  # none of its passes has yet
        self._give_up(f"{reason}: everything is computed from step {current.evaluation.step + 1} on")

    def _run_out_of_memory(self) -> None:
        self._current.decision = COMPUTE
        self._give_up(
            f"out of memory at step {self._current.evaluation.step + 1}, so everything is computed from there on")

    def _give_up(self, reason: str) -> None:
        """Nothing is stored or reused any more."""
        self._gave_up, self._adviser = True, None
        self._forget()
        self.messages.fail(reason)


def unlike(denoised: object, latent: torch.Tensor) -> str:
    """What an evaluation gives, in words, where it is not one tensor of the latent's shape; nothing where it is."""
    if not isinstance(denoised, torch.Tensor):
        return f"a {type(denoised).__name__}, not one tensor of the latent's shape"
    if denoised.shape != latent.shape:
        return f"a tensor {tuple(denoised.shape)} for a latent {tuple(latent.shape)}"
    return ""
