"""Methods made of another: what it stores is kept otherwise, or what it repeats is extrapolated."""

from dataclasses import dataclass, replace

from ..engine.controller import Controller
from ..plan.extrapolation import FORECASTS
from ..plan.plan import Kind, Plan, Reuse, Transformer
from ..plan.schedule import Schedule
from ..plan.storage import Storage
from .method import Method, begin


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
