"""Forecasts whose weights come from a kernel."""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from ..plan.schedule import Quantity
from .constants import ACROSS_BEND
from .kernel import Kernel
from .latent_error import LatentError, Rules, best_weights
from .proven_plan import ProvenPlan


@dataclass(frozen=True)
class KernelExtrapolation:
    """The best weights for what a kernel has measured, which is `quantity` of the model's output.

    bends: times at which the outputs of this run bend, as where another prompt begins to apply. plan: one whose runs
    have changed the weights, for runs that follow it at the times of the kernel.
    """
    kernel: Kernel
    quantity: Quantity = Quantity.VELOCITY
    rules: Rules = Rules()
    bends: tuple[float, ...] = ()
    plan: ProvenPlan | None = None

    @classmethod
    def of(cls, kernel: Kernel, quantity: Quantity) -> "KernelExtrapolation":
        """With the growth of errors that was measured with the kernel, if it was."""
        return cls(kernel, quantity, Rules() if kernel.growth is None else Rules(growth=kernel.growth))

    @property
    def anchors(self) -> int:
        return self.rules.anchors

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        """Each forecast by itself, for evaluations whose order is not known beforehand. Anchors from before a rise of
        the noise have no weight."""
        falling = next((place for place in range(1, len(anchors)) if anchors[place] <= anchors[place - 1]),
                       len(anchors))
        return (*self.expect(anchors[:falling], time)[0], *[0.] * (len(anchors) - falling))

    def expect(self, anchors: Sequence[float], time: float) -> tuple[tuple[float, ...], float]:
        """The weights of a forecast, and its error to be expected: squared, as a fraction of the output's square."""
        return expect(self.gram((*anchors, time)), self.rules.ridge)

    def gram(self, times: Sequence[float]) -> np.ndarray:
        """What is known of the outputs of this run at these times: (T, T)."""
        moments = np.asarray(times)
        part = (np.array(self.bends)[:, None] > moments).sum(0)
        return self.kernel.at(moments) * ACROSS_BEND ** np.abs(part[:, None] - part)


def expect(gram: np.ndarray, ridge: float) -> tuple[tuple[float, ...], float]:
    """As of KernelExtrapolation, from what is known of the anchors, newest first, and of the output, last:
    (M + 1, M + 1).
    """
    weights = best_weights(gram[:-1, :-1, None], gram[:-1, -1:], ridge)[:, 0]
    wrong = np.append(weights, -1)
    return tuple(weights.tolist()), float(wrong @ gram @ wrong / gram[-1, -1])


class PlannedWeights:
    """The forecasts of one run whose evaluations are known beforehand, each making up for those before it."""

    def __init__(self, extrapolation: KernelExtrapolation, times: Sequence[float], done: int = 0):
        """times: of the evaluations, and of the result at the end: T + 1. done: evaluations of which nothing is kept.
        """
        self._times = np.array(times)
        self._computed: list[int] = []
        self._begin(extrapolation, np.zeros(done))

    def follow(self, extrapolation: KernelExtrapolation) -> None:
        """Go on with another view of the outputs."""
        self._begin(extrapolation, self.error)

    def _begin(self, extrapolation: KernelExtrapolation, error: np.ndarray) -> None:
        self._ridge = extrapolation.rules.ridge
        fits = not extrapolation.bends and extrapolation.kernel.measured_at(self._times[:-1])
        self._plan = extrapolation.plan if fits else None
        self._gram = extrapolation.gram(self._times[:-1])
        self._latent = LatentError(
            self._gram, self._times, extrapolation.rules, extrapolation.quantity, error, self._computed)

    @property
    def error(self) -> np.ndarray:
        """Of the latent, an entry for each evaluation so far: latent_error.py."""
        return self._latent.error[0]

    def next(self, computed: bool) -> dict[int, float]:
        """The weights of the next evaluation's output, by the evaluation that computed it; its own included."""
        used = self._latent.now, *self._latent.anchors[:, 0].tolist()
        step = self._latent.step((computed,))
        self._latent.follow(step, np.zeros(1, int))
        if computed:
            self._computed.append(used[0])
        weights = {anchor: weight for anchor, weight in zip(used, step.weights[:, 0].tolist()) if weight}
        for anchor, change in (self._plan.changes_after(self._computed) if self._plan else {}).items():
            weights[anchor] = weights.get(anchor, 0.) + change
        return weights

    def expect(self, anchors: Sequence[int]) -> tuple[tuple[float, ...], float]:
        """As of KernelExtrapolation, of the next evaluation by these that were computed, newest first."""
        known = [*anchors, self._latent.now]
        return expect(self._gram[np.ix_(known, known)], self._ridge)
