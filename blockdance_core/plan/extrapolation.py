"""What stands in for a value that is not computed, made of those that were: a weighted sum of the latest anchors."""

import math
from dataclasses import dataclass
from typing import Callable, Protocol, Sequence

from .schedule import Quantity

FURTHEST = 1.  # how far forecasts are continued at most, in distances of the anchors
USUAL = .5  # how far methods with N = 2 continue them on an even schedule
WIDE = .67  # methods with N = 3
NEAR = .1  # of all sampling, between anchors that bear the usual anywhere
FAR = .125  # of all sampling: the furthest reach for more than a wide one
APART = .2  # of all sampling, between anchors: too far to tell a curve
TWICE, QUARTER = 2., 1.25  # how much further a reach may be in time than in log-SNR, by anchors NEAR or not
ROUNDED = 1.01  # schedules that are even come as float32 numbers and from tables
EDGE = 1e-3  # times this close to 0 and 1 count as one: their log-SNR is infinite


class Extrapolation(Protocol):
    """anchors: the most values that a forecast is made of."""
    anchors: int

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        """The weight of each anchor, newest first, in the forecast for `time`; they sum to one.

        Times are those of a flow, from noise (1) to picture (0); up to `self.anchors` are given, all different.
        """


class OutputExtrapolation(Extrapolation, Protocol):
    """Of the model's outputs, read as this quantity."""
    quantity: Quantity


@dataclass(frozen=True)
class DividedDifferences:
    """Newton's extrapolation through the latest anchors, on the time axis and at whatever distances they have, as far
    as these bear it.

    order: 0 repeats, 1 continues a line, 2 a parabola, both exactly as long as nothing is damped or bounded.
    damping: what is left of each order from the second on. Values computed by a model are no parabolas: in long gaps
    the whole second order overshoots, half of it does not.

    Anchors that are close together say little of a value far away. What an order adds is therefore never more than it
    would be one distance ahead of anchors at equal distances: the weights' absolute values sum to at most 3, and with a
    parabola to 3 + 4 * damping. And what a model computes changes with the log-SNR as well: an order that reaches more
    than twice as far in time as in log-SNR, in distances of its anchors, is left out, with those above it; a quarter
    more is enough where anchors are more than a tenth of sampling apart, or the reach is more than two thirds of their
    distance. That is so next to pure noise and where the steps of a schedule differ much. Left out are, too, an order
    that reaches beyond an eighth of sampling and two thirds of its anchors' distance, and a parabola through anchors
    with more than a fifth of sampling between two of them.
    Anchors at distances of up to a tenth of sampling bear a line half a distance ahead, wherever they are.
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

    def order_at(self, anchors: Sequence[float], time: float) -> int:
        """How many orders these anchors bear; 0 repeats the newest."""
        for order in range(1, min(len(anchors), self.anchors)):
            if not _bear(anchors[:order + 1], time):
                return order - 1
        return min(len(anchors), self.anchors) - 1

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        weights = [1., *[0.] * (len(anchors) - 1)]
        for order in range(1, self.order_at(anchors, time) + 1):
            used = anchors[:order + 1]
            growth = abs(_growth(used, time))
            share = min(1., _even_growth(order, FURTHEST) / growth) if growth else 0.
            share *= 1. if order == 1 else self.damping
            reach = math.prod(time - anchor for anchor in used[:-1])
            for index, anchor in enumerate(used):  # f[t0, ..., tn] = sum of f(ti) / product of (ti - tj)
                difference = math.prod(anchor - other for other in used[:index] + used[index + 1:])
                weights[index] += share * reach / difference
        return tuple(weights)


def _bear(anchors: Sequence[float], time: float) -> bool:
    """Whether the order that these anchors make, all of them, is good for a forecast."""
    order, growth = len(anchors) - 1, abs(_growth(anchors, time))
    if not math.isfinite(growth):
        return False
    furthest = max(abs(later - earlier) for later, earlier in zip((time, *anchors), anchors))
    near = furthest <= NEAR * ROUNDED
    if order == 1 and near and growth <= USUAL * ROUNDED:
        return True
    wide = growth > _even_growth(order, WIDE) * ROUNDED
    if abs(time - anchors[0]) > FAR and wide:
        return False
    if order > 1 and max(abs(later - earlier) for later, earlier in zip(anchors, anchors[1:])) > APART * ROUNDED:
        return False
    return growth <= (TWICE if near and not wide else QUARTER) * abs(_growth(anchors, time, _log_snr))


def _growth(anchors: Sequence[float], time: float, axis: Callable[[float], float] = float) -> float:
    """The reach of an order in distances of its anchors; infinite where two are in one place of the axis."""
    places = list(map(axis, anchors))
    distance = math.prod(later - earlier for later, earlier in zip(places, places[1:]))
    return math.prod(axis(time) - place for place in places[:-1]) / distance if distance else math.inf


def _even_growth(order: int, ahead: float) -> float:
    """The same at equal distances, for a reach in these."""
    return math.prod(ahead + number for number in range(order))


def _log_snr(time: float) -> float:
    clipped = min(max(time, EDGE), 1 - EDGE)
    return 2 * math.log((1 - clipped) / clipped)


@dataclass(frozen=True)
class OfOutputs:
    """An extrapolation that knows of no quantity, for outputs that are read as this one."""
    quantity: Quantity
    by: Extrapolation = DividedDifferences(0)  # repeats the latest

    @property
    def anchors(self) -> int:
        return self.by.anchors

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        return self.by.weights(anchors, time)


FORECASTS = {"off": None, "linear": DividedDifferences(1), "quadratic": DividedDifferences(2)}
