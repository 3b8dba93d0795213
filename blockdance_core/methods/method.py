"""What a method has to offer, the one of a node that is switched off, what the settings of several share, and methods
that are made of another: it stores otherwise, or extrapolates what it would repeat.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from ..auto.controller import controller_of
from ..engine.controller import Controller, Setup
from ..plan.extrapolation import FORECASTS
from ..plan.plan import COMPUTE, Kind, Plan, Reuse, Storage, Transformer
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


@dataclass(frozen=True)
class Off:
    """Of a node that is switched off: everything is computed, and what that took is known for runs that do less."""
    name: str = "BlockDance, off"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return Plan((COMPUTE,) * schedule.steps, "switched off: the picture is that without this node")


def three_quarters(depth: int) -> int:
    """The share of the blocks that both papers reuse: 21 of 28."""
    return max(1, depth * 3 // 4)


def check_interval(N: int) -> None:
    if not 1 <= N <= 10:
        raise ValueError(f"N is {N}; use 2 to 10, or 1 to turn reuse off")


def check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value:g}; use a fraction of sampling between 0 and 1")


def check_n_cached(n_cached: int) -> None:
    if n_cached < -1 or n_cached == 0:
        raise ValueError(f"n_cached is {n_cached}; use a number of blocks from 1, or -1 for three quarters of them")


def cached_steps(window: tuple[int, ...], N: int) -> tuple[int, ...]:
    """The steps of a window that reuse: all but the first of every N.

    A group that the window cuts short is computed in full, as Delta-DiT's cost (Eq. 7) counts it.
    """
    whole = len(window) // N * N
    return tuple(step for position, step in enumerate(window[:whole]) if position % N)


@dataclass(frozen=True)
class StoredAs:
    """The plan of `method`, with what it stores kept by `storage`."""
    method: Method
    storage: Storage

    @property
    def name(self) -> str:
        return self.method.name if self.storage.dtype == "model" else f"{self.method.name}, {self.storage.dtype} cache"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return replace(self.method.plan(schedule, transformer), storage=self.storage)

    def begin(self, schedule: Schedule, transformer: Transformer) -> Controller:
        controller = begin(self.method, schedule, transformer)
        controller.plan = replace(controller.plan, storage=self.storage)
        return controller


def with_storage(method: Method, dtype: str, offload: str) -> Method:
    """The method itself for the default storage. Raises ValueError for names that are not known."""
    storage = Storage(dtype, offload)
    return method if storage == Storage() else StoredAs(method, storage)


@dataclass(frozen=True)
class Extrapolated:
    """The steps and spans of `method`; each span is replaced by its delta, forecast. A feature is too, as the delta
    keeps up with what comes into the span; but where the steps that were computed bear no forecast, it is repeated as
    the method itself would, as a delta that is only repeated may be worse."""
    method: Method
    forecast: str

    def __post_init__(self):
        if FORECASTS.get(self.forecast) is None:
            raise ValueError(f"forecast is {self.forecast!r}; use one of {', '.join(list(FORECASTS)[1:])}")

    @property
    def name(self) -> str:
        return f"{self.method.name}, {self.forecast} forecast"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        plan = self.method.plan(schedule, transformer)
        extrapolation, anchors, reuses = FORECASTS[self.forecast], [], []
        for time, decision in zip(schedule.times, plan.decisions):
            reuse = decision.reuse
            if reuse is None:
                anchors.insert(0, time)
            elif extrapolation.order_at(anchors, time):
                reuse = Reuse(reuse.span, Kind.DELTA)
            reuses.append(reuse)
        return Plan.from_reuses(reuses, plan.note, extrapolation)


def with_forecast(method: Method, forecast: str) -> Method:
    """The method itself where `forecast` is "off". Raises ValueError for a name that is not in FORECASTS."""
    return method if forecast == "off" else Extrapolated(method, forecast)
