"""What a method has to offer."""

from typing import Protocol

from ..plan.plan import Plan, Transformer
from ..plan.schedule import Schedule


class Method(Protocol):
    """A name for people, and a plan for a run of a model."""
    name: str

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        """One decision per step. Raises ValueError where the settings do not fit the model."""
