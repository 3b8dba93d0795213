"""Spectrum: features over the whole run as Chebyshev polynomials of the step, fitted by ridge regression.

Spectrum, arXiv 2603.01623 (CVPR 2026). The forecast is a blend of that fit and a straight line through the last two
computed evaluations. What is forecast is the hidden state after the last block. Evaluations are computed ever more
rarely: the distance grows by `growth` after each.
"""

from dataclasses import dataclass

import numpy as np

from ....blockdance_core.engine.blocks import Chain
from ....blockdance_core.plan.plan import Kind, Reuse, Span
from .rival import Moment, Rival, Sight, Stream


@dataclass(frozen=True)
class Spectrum(Rival):
    """growth: 0.75 computes 14 of 50 evaluations, 3 computes 10; blend: weight of the Chebyshev fit."""
    growth: float = .75
    degree: int = 4
    ridge: float = .1
    blend: float = .5
    warm_up: int = 5
    window: float = 2.

    def reuse(self, chain: Chain) -> Reuse:
        return Reuse(Span(0, len(chain.blocks) - 1), Kind.FEATURE)

    def begin(self) -> Stream:
        return _Fitted(self)


class _Fitted(Stream):
    def __init__(self, settings: Spectrum):
        super().__init__(keep=10_000)  # all of them, as published
        self._settings = settings
        self._window = settings.window

    def weights(self, moment: Moment, sight: Sight) -> np.ndarray | None:
        if moment.number < self._settings.warm_up:
            return None
        if moment.number - self.anchors[0].number >= int(self._window):
            self._window += self._settings.growth
            return None
        numbers = [anchor.number for anchor in self.anchors]
        blend = self._settings.blend
        fitted = chebyshev(numbers, moment, self._settings.degree, self._settings.ridge)
        return blend * fitted + (1 - blend) * line(numbers, moment)


def chebyshev(numbers: list[int], moment: Moment, degree: int, ridge: float) -> np.ndarray:
    """Weights of the features of these evaluations in their fit at a moment."""
    def basis(number) -> np.ndarray:
        return np.polynomial.chebyshev.chebvander(2 * np.asarray(number) / moment.count - 1, degree)
    known = basis(numbers)  # (n, degree + 1)
    return basis([moment.number])[0] @ np.linalg.solve(known.T @ known + ridge * np.eye(degree + 1), known.T)


def line(numbers: list[int], moment: Moment) -> np.ndarray:
    """Weights of the straight line through the first two of them."""
    weights = np.zeros(len(numbers))
    slope = (moment.number - numbers[0]) / (numbers[0] - numbers[1])
    weights[:2] = 1 + slope, -slope
    return weights
