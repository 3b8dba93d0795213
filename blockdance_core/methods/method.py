"""What a method has to offer."""

from typing import Protocol

from ..auto.controller import controller_of
from ..engine.controller import Controller, Setup
from ..plan.plan import Plan, Transformer
from ..plan.schedule import Schedule


class Method(Protocol):
    """A name for people, and a plan for a run of a model.

    A method that looks at the run has `begin(schedule, transformer)` besides, which makes the controller of a run.
    """
    name: str

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        """One decision per step. Raises ValueError where the settings do not fit the model."""


def begin(method: Method, schedule: Schedule, transformer: Transformer) -> Controller:
    """The controller of a run: the method's own, or one that follows its plan."""
    own = getattr(method, "begin", None)
    if own is not None:
        return own(schedule, transformer)
    return controller_of(Setup(method.plan(schedule, transformer)), schedule)
