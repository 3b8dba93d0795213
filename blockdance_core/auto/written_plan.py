"""A plan that was made before, by Auto and other methods or by hand."""

from dataclasses import dataclass, replace
from typing import Callable, Sequence

import numpy as np

from ..methods.variants import FORECASTS
from ..plan.flow_time import Quantity
from ..plan.plan import COMPUTE, Kind, Plan, Reuse, Transformer
from ..plan.plan_text import MEASURED, WrittenPlan
from ..plan.schedule import Schedule
from ..words import count
from .kernel import Kernel
from .method import quantity_of
from .planner import rules_for, search
from .sampler_observation import Samplers, watched
from .weights import KernelExtrapolation


@dataclass(frozen=True)
class WrittenPlanMethod:
    """written: the plan. kernel: gives that of a quantity for a number of steps. samplers: as of AutoMethod."""
    written: WrittenPlan
    kernel: Callable[[Quantity, int], Kernel]
    name: str = "BlockDance Plan"
    samplers: Samplers | None = None

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        reuses = self.written.reuses(transformer.depth)
        if schedule.steps != len(reuses):
            return Plan((COMPUTE,) * schedule.steps, f"the plan is for {count(len(reuses), 'step')} and this run has "
                        f"{schedule.steps}, so everything is computed")
        if self.written.forecast != MEASURED:
            return Plan.from_reuses(reuses, extrapolation=FORECASTS[self.written.forecast])
        return watched(schedule, self.samplers, lambda sampler, _: self._measured(
            replace(schedule, sampler=sampler), reuses))

    def _measured(self, schedule: Schedule, reuses: Sequence[Reuse | None]) -> Plan:
        """The plan with forecasts by a profile, as Auto does for such a sampler."""
        quantity = quantity_of(schedule)
        if not schedule.sampler.whole:  # such a sampler takes more than the output
            reuses = [reuse and replace(reuse, kind=Kind.DELTA) for reuse in reuses]
        extrapolation = KernelExtrapolation(self.kernel(quantity, schedule.steps), quantity)
        if stretch := max(schedule.stretches, key=len, default=None):
            times = np.array(stretch.times)
            computed = [place for place, step in enumerate(stretch.steps) if place == 0 or reuses[step] is None]
            expected = search(extrapolation.gram(times[:-1]), times, extrapolation.rules, quantity, only=computed)[0]
            extrapolation = replace(extrapolation, rules=rules_for(expected.quality, extrapolation.rules))
        return Plan.from_reuses(reuses, extrapolation=extrapolation)
