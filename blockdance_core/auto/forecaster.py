"""Forecasts whose weights come from a kernel."""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from ..flow_time import Quantity
from .drift import NO_ANCHOR, Drift, Rules, best_weights
from .kernel import Kernel


@dataclass(frozen=True)
class KernelForecaster:
    """The best weights for what a kernel has measured, which is `quantity` of the model's output."""
    kernel: Kernel
    quantity: Quantity = Quantity.VELOCITY
    rules: Rules = Rules()

    @property
    def anchors(self) -> int:
        return self.rules.anchors

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        """Each forecast by itself, for evaluations whose order is not known beforehand."""
        gram = self.kernel.at(np.array([*anchors, time]))
        target = np.zeros((1, len(gram)))
        target[0, -1] = 1
        return tuple(best_weights(gram, np.arange(len(anchors))[None], target, self.rules.ridge)[0].tolist())


class Course:
    """The forecasts of one run whose evaluations are known beforehand, each making up for those before it."""

    def __init__(self, forecaster: KernelForecaster, times: Sequence[float]):
        """times: of the evaluations, and of the result at the end: T + 1."""
        moments = np.array(times)
        self._anchors = forecaster.anchors
        self._drift = Drift(forecaster.kernel.at(moments[:-1]), moments, forecaster.rules, forecaster.quantity)
        self._computed: list[int] = []  # newest first
        self._now = 0

    def next(self, computed: bool) -> dict[int, float]:
        """The weights of the next evaluation's output, by the evaluation that computed it; its own included."""
        used = [*[self._now] * computed, *self._computed[:self._anchors]]
        if computed:
            self._computed.insert(0, self._now)
        padded = np.array([used + [NO_ANCHOR] * (self._anchors + 1 - len(used))])
        weights = self._drift.weights(self._now, padded)
        self._drift.advance(self._now, padded, weights)
        self._now += 1
        return {anchor: weight for anchor, weight in zip(used, weights[0].tolist()) if weight}
