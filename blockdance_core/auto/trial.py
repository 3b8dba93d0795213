"""Runs that try a plan, by exactly its evaluations and weights; from the middle on where what comes before is known."""

from dataclasses import dataclass, field, replace

import torch

from ..engine.controller import Moment, PlanController, Setup
from ..plan.plan import Plan, SkipModel, Transformer
from ..plan.schedule import Schedule
from .controller import OutputController, controller_of
from .kernel import Kernel
from .method import AutoMethod
from .proven_plan import ProvenPlan

TRIAL = "trial"  # a way of sampling, whatever the run's own is


@dataclass(frozen=True)
class TrialMethod:
    """Follow a plan at the times of a kernel.

    recorded: the outputs of a run of the plan, by step: they are put into it, or, where `until` is given, taken from it
    before that step in place of the model's, but for the first. Nothing that they depend on may have changed.
    """
    kernel: Kernel
    proven: ProvenPlan
    recorded: dict[int, torch.Tensor] | None = field(default=None, compare=False)
    until: int = 0
    name: str = "BlockDance Calibrate"

    @property
    def speedup(self) -> float:
        return len(self.kernel.times) / len(self.proven.computed)

    @property
    def share(self) -> float:
        """Of a full run's evaluations, those that are made."""
        made = sum(number >= self.until for number in self.proven.computed) + bool(self.until)
        return made / len(self.kernel.times)

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        trial = replace(self.kernel, proven=(replace(self.proven, way=TRIAL),))
        method = AutoMethod(self.speedup, lambda *_: trial, corrects=False)
        return method.plan(replace(schedule, way=TRIAL), transformer)

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        plan = self.plan(schedule, transformer)
        if self.recorded is None:
            return controller_of(Setup(plan), schedule)
        if not (schedule.sampler.whole and schedule.sampler.counted):
            raise ValueError("weights cannot be fitted for this sampler: it takes more from an evaluation than its "
                             "output, or more than one evaluation a step")
        skip = SkipModel(transformer.depth)
        reuses = [skip if 0 < step < self.until else decision.reuse for step, decision in enumerate(plan.decisions)]
        shortened = Plan.from_reuses(reuses, plan.note, plan.extrapolation)
        return RecordedController(Setup(shortened), schedule, self.recorded, self.until)


class RecordedController(OutputController):
    """Records computed outputs, or has them from a record."""

    def __init__(self, setup: Setup, schedule: Schedule, recorded: dict[int, torch.Tensor], until: int):
        super().__init__(setup, schedule)
        self._recorded = recorded
        self._until = until

    def skip(self, moment: Moment) -> torch.Tensor | None:
        if moment.step in self._recorded:
            return super().computed(moment, self._recorded[moment.step])
        return super().skip(moment)

    def computed(self, moment: Moment, denoised: torch.Tensor) -> torch.Tensor:
        if not self._until:
            self._recorded[moment.step] = denoised.clone()  # samplers may change theirs in place
        return super().computed(moment, denoised)
