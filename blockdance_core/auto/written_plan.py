"""A plan that was made before, by Auto and other methods or by hand."""

from dataclasses import dataclass, replace
from typing import Callable, Sequence

from ..engine.controller import PlanController, Setup
from ..plan.extrapolation import FORECASTS
from ..plan.plan import COMPUTE, Kind, Plan, Reuse, SkipModel, Transformer
from ..plan.plan_text import MEASURED, WrittenPlan
from ..plan.schedule import Quantity, Schedule
from ..words import count
from .controller import controller_of
from .kernel import Kernel
from .sampler_observation import Samplers, setup_for
from .weights import KernelExtrapolation


@dataclass(frozen=True)
class WrittenPlanMethod:
    """written: the plan. kernel: gives that of a quantity for a run through these times. samplers: as of AutoMethod."""
    written: WrittenPlan
    kernel: Callable[[Quantity, Sequence[float]], Kernel]
    name: str = "BlockDance Plan"
    samplers: Samplers | None = None

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return self.setup(schedule, transformer).plan

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        return controller_of(self.setup(schedule, transformer), schedule)

    def setup(self, schedule: Schedule, transformer: Transformer) -> Setup:
        """What a run begins with."""
        reuses = self.written.reuses(transformer.depth)
        if schedule.steps != len(reuses):
            return Setup(Plan((COMPUTE,) * schedule.steps, f"the plan is for {count(len(reuses), 'step')} and this "
                              f"run has {schedule.steps}, so everything is computed"))
        if self.written.forecast != MEASURED:
            return Setup(Plan.from_reuses(reuses, extrapolation=FORECASTS[self.written.forecast]))
        return setup_for(schedule, self.samplers, lambda sampler, _: self._measured(
            replace(schedule, sampler=sampler), reuses))

    def _measured(self, schedule: Schedule, reuses: Sequence[Reuse | SkipModel | None]) -> Setup:
        """The plan with forecasts by a profile, as Auto does for such a sampler."""
        quantity = schedule.sampler.quantity
        if not schedule.sampler.whole:  # such a sampler takes more than the output
            reuses = [reuse and Reuse(reuse.span, Kind.DELTA) for reuse in reuses]
        times = max(schedule.stretches, key=len).times if schedule.stretches else ()
        extrapolation = KernelExtrapolation.of(self.kernel(quantity, times), quantity)
        return Setup(Plan.from_reuses(reuses, extrapolation=extrapolation))
