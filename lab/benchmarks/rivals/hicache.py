"""HiCache: TaylorSeer with scaled Hermite polynomials in place of powers, which damps long forecasts.

HiCache, arXiv 2508.16984: k^i becomes s^i H_i(s k), H_i the physicists' Hermite polynomials, s = 0.5.
"""

from dataclasses import dataclass
from functools import partial

from .rival import Stream, WholeDelta
from .taylorseer import Series


@dataclass(frozen=True)
class HiCache(WholeDelta):
    """N, order, first: as in TaylorSeer; scale: s."""
    N: int = 5
    order: int = 2
    scale: float = .5
    first: int = 3

    def begin(self) -> Stream:
        return Series(self.N, self.order, self.first, partial(scaled_hermite, scale=self.scale))


def scaled_hermite(k: float, i: int, scale: float) -> float:
    """scale^i H_i(scale k), by H_(i+1)(x) = 2 x H_i(x) - 2 i H_(i-1)(x)."""
    x, last, value = scale * k, 0., 1.
    for j in range(i):
        last, value = value, 2 * x * value - 2 * j * last
    return scale ** i * value
