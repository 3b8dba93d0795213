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

from ..engine.controller import GiveUp, Moment
from ..engine.moved_latent import MovingParts
from ..engine.report import Evaluation, Report
from ..methods.method import Method, begin
from ..plan.plan import COMPUTE, Decision, SkipModel
from ..plan.schedule import Schedule
from .messages import Messages, words_of
from .models.architectures import Family
from .pass_key import active_at
from .passes import Current, Passes
from .run_history import Shared
from .step_tracking import StepTracker

ANOTHER_CACHE = ("another cache (EasyCache, LazyCache or one like them) has skipped the model at some steps: its "
                 "errors and those of this node add up")


class Run(Shared):
    """Carries out what the controller of a run decides. undisturbed: whether no wrapper but ours is around its
    evaluations."""

    def __init__(self, method: Method, schedule: Schedule, family: Family, diffusion_model: Module,
                 undisturbed: bool = True, on_evaluation: Callable[[Report], None] | None = None):
        self._diffusion_model = diffusion_model
        transformer = family.transformer_of(diffusion_model)
        started = time.perf_counter()
        self._controller = begin(method, schedule, transformer)
        planning = time.perf_counter() - started
        own = schedule.sampler.known and undisturbed
        self._undisturbed = undisturbed
        plan = self._controller.plan
        if plan.sampler is not None:
            schedule = replace(schedule, sampler=plan.sampler)
        self.report = Report(method.name, transformer, plan, planning_seconds=planning, way=schedule.way)
        self.messages = Messages(self.report)
        self._on_evaluation = on_evaluation
        self._tracker = StepTracker(schedule, undisturbed)
        self._flow_time = schedule.flow_time
        self._watch = MovingParts(own) if self._controller.may_reuse else None
        self._passes = Passes(self.report, self._controller, family, self.messages, self._watch,
                              self._give_up_now)
        self._replans, self._observes = True, self._controller.observes
        self._current: Current | None = None
        self._gave_up = False
        self._started: float | None = None

    @property
    def cache_bytes(self) -> int:
        """What is stored now."""
        return self._passes.cache.bytes + self._controller.bytes

    def close(self) -> None:
        """Account for the run and free what it stored, whatever way it ended."""
        if self._started is not None:
            self.report.seconds = time.perf_counter() - self._started
        self.report.cache_bytes = self._passes.cache.peak_bytes + self._controller.peak_bytes
        self._forget()

    def finish(self) -> Report:
        """The account of a run that has come to its end."""
        if not self._undisturbed and len(self.report.evaluations) < self.report.plan.steps:
            self._report_another_cache()
        if self._observes:
            with self.messages.survive("what this run has shown could not be saved"):
                self.report.outcome = self._controller.finish()
        return self.report

    def evaluate(self, predict: Callable, x, timestep, conditions: Mapping[str, list], whole: bool = True):
        """One call of the denoiser; the decision for all of its passes is taken here. conditions: of the guider; whole:
        whether all that the sampler takes from it is the result, as far as can be seen."""
        if self._current is not None:  # a call from within one is a part of it
            return predict()
        step, sigma = self._tracker.now(timestep)
        moment = Moment(step, sigma, self._flow_time.time(sigma), x, conditions,
                        lambda sigma: active_at(sigma, conditions), whole, self._tracker.counts)
        self._check(moment)
        self._look(moment)
        decision = self._decide(step)
        if decision.reuse is None:
            self._passes.cache.begin_group()
        evaluation = Evaluation(step, decision.reuse)
        self.report.shape = tuple(x.shape)
        self._current = Current(evaluation, decision, moment.time, x)
        self.report.evaluations.append(evaluation)
        self._report_evaluation()
        started = time.perf_counter()
        if self._started is None:  # loading the model is not sampling
            self._started = started
        try:
            denoised = self._skipped(moment)
            if denoised is None:
                denoised = self._computed(moment, predict())
                self._notice_another_cache(evaluation)
            if self._observes:
                self._observe(moment, denoised)
            return denoised
        finally:
            self._passes.finish(self._current)
            evaluation.seconds = time.perf_counter() - started
            evaluation.cache_bytes = self.cache_bytes
            self._current = None

    def begin_call(self) -> None:
        """What follows are other passes than those before, even if they look alike."""
        if self._current is not None:
            self._current.call += 1

    def apply_model(self, forward: Callable, model: BaseModel, x, transformer_options: dict,
                    control: dict | None = None):
        """One pass of the evaluation that is going on. `forward` may be called twice."""
        if self._current is None:
            return forward()
        return self._passes.apply_model(self._current, forward, model, x, transformer_options, control)

    def _check(self, moment: Moment) -> None:
        """Before an evaluation: whether what the controller relies on is still so."""
        if self._gave_up:
            return
        try:
            if note := self._controller.check(moment):
                self.messages.note(note)
        except GiveUp as reason:
            self._give_up(str(reason))

    def _look(self, moment: Moment) -> None:
        """Before an evaluation: whether its latent goes on where the one before was, and what the controller sees."""
        if self._watch is not None and not self._gave_up:
            reason = "it is not known whether the latent of an evaluation goes on where it was"
            with self.messages.survive(reason):
                self._watch.evaluation(moment.latent, moment.time)
                reason = ""
            if reason:
                self._give_up(f"{reason}: everything is computed")
        if self._gave_up or not self._replans:
            return
        started, self._replans = time.perf_counter(), False
        with self.messages.survive(f"the plan stays as it was at step {moment.step}"):
            self._controller.replan(moment)
            self._replans = True
        self.report.plan = self._controller.plan
        self.report.planning_seconds += time.perf_counter() - started

    def _decide(self, step: int) -> Decision:
        if self._gave_up:
            return COMPUTE
        decision = self._controller.decide(step)
        if decision.may_reuse and self._watch is not None and (reason := self._watch.rings()):
            self._give_up(f"{reason}: everything is computed from step {step} on")
            return COMPUTE
        return decision

    def _report_evaluation(self) -> None:
        if self._on_evaluation is None:
            return
        tell, self._on_evaluation = self._on_evaluation, None
        with self.messages.survive("the run is not shown while it goes on"):
            tell(self.report)
            self._on_evaluation = tell

    def _skipped(self, moment: Moment) -> torch.Tensor | None:
        """What the sampler gets where the decision skips the model; None where the model has to be computed."""
        if not isinstance(self._current.decision.reuse, SkipModel):
            return None
        try:
            output = self._controller.skip(moment)
        except torch.OutOfMemoryError:
            self._give_up_now("out of memory")
            return None
        except Exception as error:  # the evaluation can be computed
            self._give_up_now(f"an output cannot be forecast ({words_of(error)})")
            return None
        if output is not None:
            self.report.repeat(self._current.evaluation)
        return output

    def _computed(self, moment: Moment, denoised):
        """What the sampler gets of an output that the model has computed."""
        if self._gave_up or not self._controller.keeps_outputs:
            return denoised
        if (found := unlike(denoised, moment.latent)):
            self._give_up_now(f"an evaluation gives {found}, and only such a tensor can be forecast")
            return denoised
        try:
            given = self._controller.computed(moment, denoised)
            stored = (reuse for reuse in self._current.decision.store if isinstance(reuse, SkipModel))
            self._current.evaluation.stored.update(dict.fromkeys(stored))
            return given
        except torch.OutOfMemoryError:
            self._give_up_now("out of memory")
        except Exception as error:  # the evaluation is computed
            self._give_up_now(f"an output cannot be kept for forecasts ({words_of(error)})")
        return denoised

    def _notice_another_cache(self, evaluation: Evaluation) -> None:
        """After an evaluation that was to be computed: where no block was called, as they were before, another cache
        has put its own guess in place of the output. Where another pack has put blocks of its own in place of the
        model's, nobody knows what these do."""
        if not evaluation.total and any(past.executed for past in self.report.evaluations):
            self._report_another_cache()
        if not self._passes.fits(self._diffusion_model):
            self._measure_nothing()

    def _report_another_cache(self) -> None:
        self.messages.note(ANOTHER_CACHE)
        self._measure_nothing()

    def _measure_nothing(self) -> None:
        if self._observes:
            self._observes = False
            self.messages.fail("nothing was measured in this run, as not all outputs are the model's own: bypass the "
                               "other cache for one run")

    def _observe(self, moment: Moment, denoised) -> None:
        """Let the controller learn from an evaluation; where it cannot, it learns nothing any more."""
        self._observes = False
        if (found := unlike(denoised, moment.latent)):
            if not self._gave_up:  # for the same reason
                self.messages.fail(f"nothing was measured in this run: an evaluation gives {found}")
            return
        with self.messages.survive("nothing was measured in this run"):
            self._controller.observe(moment, denoised)
            self._observes = True

    def _forget(self) -> None:
        self._passes.forget()
        self._controller.forget()

    def _give_up_now(self, reason: str) -> None:
        """Nothing is reused any more, the evaluation that goes on included."""
        current = self._current
        current.decision = COMPUTE
        if current.evaluation.executed == current.evaluation.total:
            current.evaluation.reuse = None  # none of its passes has yet
        self._give_up(f"{reason}: everything is computed from step {current.evaluation.step} on")

    def _give_up(self, reason: str) -> None:
        """Nothing is stored or reused any more."""
        self._gave_up = True
        self._forget()
        self.messages.fail(reason)


def unlike(denoised: object, latent: torch.Tensor) -> str:
    """What an evaluation gives, in words, where it is not one tensor of the latent's shape; nothing where it is."""
    if not isinstance(denoised, torch.Tensor):
        return f"a {type(denoised).__name__}, not one tensor of the latent's shape"
    if denoised.shape != latent.shape:
        return f"a tensor {tuple(denoised.shape)} for a latent {tuple(latent.shape)}"
    return ""
