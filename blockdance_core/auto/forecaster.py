"""Forecasts whose weights come from a kernel."""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from ..flow_time import Quantity
from .drift import NO_ANCHOR, Drift, Rules, best_weights
from .kernel import Kernel

IN_COMMON = .5  # of outputs on both sides of a bend; hardly matters, as anchors on this side do so much better


@dataclass(frozen=True)
class KernelForecaster:
    """The best weights for what a kernel has measured, which is `quantity` of the model's output.

    bends: times at which the outputs of this run change their course, as where another prompt begins to apply.
    """
    kernel: Kernel
    quantity: Quantity = Quantity.VELOCITY
    rules: Rules = Rules()
    bends: tuple[float, ...] = ()

    @property
    def anchors(self) -> int:
        return self.rules.anchors

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        """Each forecast by itself, for evaluations whose order is not known beforehand."""
        return self.foresee(anchors, time)[0]

    def foresee(self, anchors: Sequence[float], time: float) -> tuple[tuple[float, ...], float]:
        """The weights of a forecast, and its error to be expected: squared, as a fraction of the output's square."""
        gram = self.gram((*anchors, time))
        target = np.zeros((1, len(gram)))
        target[0, -1] = 1
        weights = best_weights(gram, np.arange(len(anchors))[None], target, self.rules.ridge)
        wrong = np.append(weights[0], -1)
        return tuple(weights[0].tolist()), float(wrong @ gram @ wrong / gram[-1, -1])


    def gram(self, times: Sequence[float]) -> np.ndarray:
        """What is known of the outputs of this run at these times: (T, T)."""
        moments = np.asarray(times)
        part = (np.array(self.bends)[:, None] > moments).sum(0)
        return self.kernel.at(moments) * IN_COMMON ** np.abs(part[:, None] - part)


class Course:
    """The forecasts of one run whose evaluations are known beforehand, each making up for those before it."""

    def __init__(self, forecaster: KernelForecaster, times: Sequence[float]):
        """times: of the evaluations, and of the result at the end: T + 1."""
        moments = np.array(times)
        self._anchors = forecaster.anchors
        self._drift = Drift(forecaster.gram(moments[:-1]), moments, forecaster.rules, forecaster.quantity)
        self._computed: list[int] = []  # newest first
        self._now = 0

    @property
    def error(self) -> np.ndarray:
        """Of the latent, (T,): drift.py."""
        return self._drift.error[0]

    def follow(self, forecaster: KernelForecaster) -> None:
        """Go on with another view of the outputs."""
        self._drift.gram = forecaster.gram(self._drift.times[:-1])

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
