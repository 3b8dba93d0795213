"""A node that is switched off: everything is computed, and what that took is known for runs that do less."""

from dataclasses import dataclass

from ..plan.plan import COMPUTE, Plan, Transformer
from ..plan.schedule import Schedule


@dataclass(frozen=True)
class Off:
    name: str = "BlockDance, off"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return Plan((COMPUTE,) * schedule.steps, "switched off: the picture is that without this node")
