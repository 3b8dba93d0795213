"""A paper's method with forecasts: what it would repeat is continued from the last steps that it computed."""

from dataclasses import dataclass

from .forecast import DividedDifferences
from .plan import Kind, Plan, Reuse, Transformer
from .policy import Policy
from .schedule import Schedule

FORECASTS = {"off": None, "linear": DividedDifferences(1), "quadratic": DividedDifferences(2)}


@dataclass(frozen=True)
class Forecasting:
    """The steps and spans of `policy`; each span is replaced by its delta, forecast. A feature is too, as the delta
    keeps up with what comes into the span; but where the steps that were computed bear no forecast, it is repeated as
    the method itself would, as a delta that is only repeated may be worse."""
    policy: Policy
    forecast: str

    def __post_init__(self):
        if FORECASTS.get(self.forecast) is None:
            raise ValueError(f"forecast is {self.forecast!r}; use one of {', '.join(list(FORECASTS)[1:])}")

    @property
    def name(self) -> str:
        return f"{self.policy.name}, {self.forecast} forecast"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        plan = self.policy.plan(schedule, transformer)
        forecaster, anchors, reuses = FORECASTS[self.forecast], [], []
        for time, decision in zip(schedule.times, plan.decisions):
            reuse = decision.reuse
            if reuse is None:
                anchors.insert(0, time)
            elif forecaster.order_at(anchors, time):
                reuse = Reuse(reuse.span, Kind.DELTA)
            reuses.append(reuse)
        return Plan.from_reuses(reuses, plan.note, forecaster)


def with_forecast(policy: Policy, forecast: str) -> Policy:
    """The policy itself where `forecast` is "off". Raises ValueError for a name that is not in FORECASTS."""
    return policy if forecast == "off" else Forecasting(policy, forecast)
