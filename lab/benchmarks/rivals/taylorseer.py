"""TaylorSeer: between evaluations at a fixed distance features follow a Taylor series with backward differences.

From Reusing to Extrapolated, arXiv 2503.06923, Eq. 4 to 7. The axis is the number of the evaluation. Backward
differences stand for derivatives, so the first order is exact on a line, while the second misses k N / 2 second
derivatives on a parabola; that is the method.
"""

import math
from dataclasses import dataclass
from typing import Callable, Sequence

from .rival import Moment, Sight, Stream, WholeDelta


@dataclass(frozen=True)
class TaylorSeer(WholeDelta):
    """N: distance of computed evaluations; order: of the series; first: evaluations computed at the beginning."""
    N: int = 5
    order: int = 1
    first: int = 3

    def begin(self) -> Stream:
        return Series(self.N, self.order, self.first, lambda k, i: k ** i)


class Series(Stream):
    """Forecasts by sum_i basis(k, i) / i! times the i-th difference, k evaluations after the last computed one."""

    def __init__(self, N: int, order: int, first: int, basis: Callable[[int, int], float]):
        super().__init__(keep=order + 1)
        self._N = N
        self._first = first
        self._basis = basis

    def weights(self, moment: Moment, sight: Sight) -> list[float] | None:
        if moment.number < self._first or moment.number - self.anchors[0].number >= self._N:
            return None
        numbers = [anchor.number for anchor in self.anchors]
        k = moment.number - numbers[0]
        total = [0.] * len(numbers)
        for i in range(len(numbers)):
            for place, weight in enumerate(differences(numbers, i)):
                total[place] += self._basis(k, i) / math.factorial(i) * weight
        return total


def differences(numbers: Sequence[int], order: int) -> list[float]:
    """The difference of this order at the first of these evaluations, as weights of their features.

    Each difference is that of the order below at two neighbours, divided by their distance.
    """
    if order == 0:
        return [1.]
    now, before = differences(numbers, order - 1), differences(numbers[1:], order - 1)
    gap = numbers[0] - numbers[1]
    return [(a - b) / gap for a, b in zip([*now, 0.], [0., *before])]
