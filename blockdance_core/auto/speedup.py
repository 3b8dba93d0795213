"""How many times faster a plan makes a run, in evaluations that are computed of those that are made."""

from dataclasses import dataclass
from typing import Collection

from ..engine.step_groups import StepGroups
from ..plan.plan import Plan, SkipModel
from ..plan.schedule import Schedule


@dataclass(frozen=True)
class Speed:
    """made, computed: evaluations, or steps where it is not known how often a sampler evaluates."""
    made: int
    computed: int
    known: bool

    def __str__(self) -> str:
        return f"{self.made / self.computed:.2f}x" if self.known else f"{self.computed} of {self.made} steps computed"


def speed(schedule: Schedule, computed: Collection[int]) -> Speed:
    """Of a run that computes these steps and replaces the others as a whole."""
    evaluations = schedule.evaluations
    if evaluations is None:
        return Speed(schedule.steps, len(computed), False)
    pace = StepGroups(Plan.from_reuses([None if step in computed else SkipModel(1) for step in range(schedule.steps)]))
    return Speed(len(evaluations), sum(pace.decide(step).reuse is None for step in evaluations), True)
