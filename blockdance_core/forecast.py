"""What stands in for a value that is not computed, made of those that were: a weighted sum of the latest anchors."""

from dataclasses import dataclass
from typing import Protocol, Sequence


class Forecaster(Protocol):
    """anchors: the most values that a forecast is made of."""
    anchors: int

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        """The weight of each anchor, newest first, in the forecast for `time`; they sum to one.

        Times are those of a flow, from noise (1) to picture (0); up to `self.anchors` are given, all different.
        """


@dataclass(frozen=True)
class DividedDifferences:
    """Newton's extrapolation through the latest anchors, on the time axis and at whatever distances they have.

    order: 0 repeats, 1 continues a line, 2 a parabola, both exactly as long as nothing is damped.
    damping: what is left of each order from the second on. Values computed by a model are no parabolas: in long gaps
    the whole second order overshoots, half of it does not.
    """
    order: int
    damping: float = .5

    def __post_init__(self):
        if self.order not in (0, 1, 2):
            raise ValueError(f"order is {self.order}; use 0, 1 or 2")
        if not 0 <= self.damping <= 1:
            raise ValueError(f"damping is {self.damping:g}; use 0 (nothing of the second order) to 1 (all of it)")

    @property
    def anchors(self) -> int:
        return self.order + 1

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        weights = [0.] * len(anchors)
        reach, share = 1., 1.
        for order in range(len(anchors)):
            used = anchors[:order + 1]
            for index, anchor in enumerate(used):  # f[t0, ..., tn] = sum of f(ti) / product of (ti - tj)
                difference = 1.
                for other in used[:index] + used[index + 1:]:
                    difference *= anchor - other
                weights[index] += share * reach / difference
            reach *= time - anchors[order]
            share *= 1. if order == 0 else self.damping
        return tuple(weights)
