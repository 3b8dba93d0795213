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
from ..pace import Pace
from ..plan import COMPUTE, Kind, Moment, Plan
from ..policy import Policy
from ..report import Evaluation, Report
from ..schedule import Schedule
from .architectures import Family
from .clock import Clock
from .conditions import active_at
from .passes import Current, Passes
from .telling import Telling


class Run:
    def __init__(self, policy: Policy, schedule: Schedule, family: Family, diffusion_model: Module,
                 undisturbed: bool = True, on_evaluation: Callable[[Report], None] | None = None):
        transformer = family.transformer_of(diffusion_model)
        started = time.perf_counter()
        plan = policy.plan(schedule, transformer)
        planning = time.perf_counter() - started
        if plan.sampler is not None:
            schedule = replace(schedule, sampler=plan.sampler)
        self.report = Report(policy.name, transformer, plan, planning_seconds=planning)
        self.telling = Telling(self.report)
        self.listener = plan.listener
        self._on_evaluation = on_evaluation
        self._clock = Clock(schedule, undisturbed)
        self._flow_time = schedule.flow_time
        self._pace = Pace(plan, {stretch.steps[0] for stretch in schedule.stretches})
        self._adviser = plan.adviser
        self._passes = Passes(self.report, family, self.telling, self._run_out_of_memory)
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
        return Outputs(plan.forecaster, schedule.stretches if self._clock.counts else ())

    def _forget(self) -> None:
        self._passes.cache.clear()
        if self._outputs:
            self._outputs.clear()

    def evaluate(self, predict: Callable, x, timestep, conditions: Mapping[str, list], whole: bool = True):
        """One call of the denoiser; the decision for all of its passes is taken here. conditions: of the guider; whole:
        whether all that the sampler takes from it is the result, as far as can be seen."""
        if self._current is not None:  # a call from within one is a part of it
            return predict()
        step, sigma = self._clock.now(timestep)
        self._check_outputs(whole)
        if self._adviser is not None:
            self._take_advice(Moment(step, x, conditions, lambda sigma: active_at(sigma, conditions), self._outputs))
        decision = COMPUTE if self._gave_up else self._pace.decide(step)
        if decision.reuse is None and self.report.plan.forecaster is None:
            self._passes.cache.clear()  # it is stored anew, or needed no more: room for the model meanwhile
        evaluation = Evaluation(step, decision.reuse)
        self._current = Current(evaluation, decision, self._flow_time.time(sigma), tuple(x.shape))
        self.report.evaluations.append(evaluation)
        if self._on_evaluation is not None:
            self._on_evaluation(self.report)
        started = time.perf_counter()
        if self._started is None:  # loading the model is not sampling
            self._started = started
        try:
            denoised = predict() if self._outputs is None else self._with_outputs(predict, x, sigma)
            if self.listener is not None:
                self.listener.hear(x, denoised, sigma, whole)
            return denoised
        finally:
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
            self.telling.note("the sampler or another node changes which evaluations there are, so that each forecast "
                              "stands for itself")

    def _take_advice(self, moment: Moment) -> None:
        started = time.perf_counter()
        try:
            plan = self._adviser.advise(moment)
        except (ValueError, RuntimeError) as error:  # the run has a plan to go on by
            self._adviser = None
            self.telling.fail(f"the plan stays as it was at step {moment.step + 1}: {error}")
            return
        finally:
            self.report.planning_seconds += time.perf_counter() - started
        if plan is not None:
            self.report.plan = plan
            self._pace.replan(plan, moment.step)
            if self._outputs is not None:
                self._outputs.follow(plan.forecaster)

    def _with_outputs(self, predict: Callable, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """An evaluation whose output is forecast, or kept for forecasts."""
        flow_time, quantity = self._flow_time, self.report.plan.forecaster.quantity
        current, evaluation = self._current, self._current.evaluation
        if evaluation.reuse and evaluation.reuse.kind is Kind.OUTPUT and self._outputs.fit(x):
            try:
                forecast = flow_time.denoised(quantity, x, self._outputs.forecast(current.time), sigma)
                self.report.repeat(evaluation)
                return forecast
            except torch.OutOfMemoryError:
                self._run_out_of_memory()
        denoised = predict()
        if self._gave_up:
            return denoised
        try:
            value = flow_time.read(quantity, x, denoised, sigma)
            given = self._outputs.computed(current.time, value)
            evaluation.stored.update((reuse, None) for reuse in current.decision.store if reuse.kind is Kind.OUTPUT)
            return denoised if given is value else flow_time.denoised(quantity, x, given, sigma)
        except torch.OutOfMemoryError:
            self._run_out_of_memory()
            return denoised

    def _run_out_of_memory(self) -> None:
        self._current.decision = COMPUTE
        self._give_up(
            f"out of memory at step {self._current.evaluation.step + 1}, so everything is computed from there on")

    def _give_up(self, reason: str) -> None:
        """Nothing is stored or reused any more."""
        self._gave_up, self._adviser = True, None
        self._forget()
        self.telling.fail(reason)
