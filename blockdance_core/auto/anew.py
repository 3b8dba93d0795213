"""Measure a model anew, whatever is known of it."""

from dataclasses import dataclass, replace

from ..plan import Plan, Transformer
from ..schedule import Schedule
from .policy import FEWEST_RECORDED, AutoPolicy

UNMEASURABLE = (f"this run cannot measure, which takes {FEWEST_RECORDED} steps or more from noise to a picture, with "
                "one evaluation each")


@dataclass(frozen=True)
class MeasureAnew:
    """Every run that can measure computes everything and does; the others go by what is known, as `usual`."""
    usual: AutoPolicy

    @property
    def name(self) -> str:
        return "BlockDance Auto, measuring"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        unmeasured = replace(self.usual, speedup=max(2., self.usual.speedup), measured=lambda *_: None)
        plan = unmeasured.plan(schedule, transformer)
        if plan.listener is not None:
            return replace(plan, note="measuring anew: this run computes everything and records")
        plan = self.usual.plan(schedule, transformer)
        return replace(plan, note="; ".join(filter(None, (UNMEASURABLE, plan.note))))
