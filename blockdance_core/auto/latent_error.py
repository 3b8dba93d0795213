"""Forecasts that add up: how far the latent of a reused run is from that of the full one, and the weights that keep
it close.

Every output of a reused run is a weighted sum of outputs that were computed, so its error is a combination of the
model's outputs, and the kernel tells its size without looking at a single tensor. The latent adds these errors up. Each
new output is therefore chosen to be right itself and to make up for what the latent has gathered, which interpolates
now what had to be extrapolated before; computed evaluations take part in that.

What a next output needs of that error are its products with the outputs it is made of, five numbers. They are carried
along from evaluation to evaluation, since taking them from the whole kernel anew costs the square of the steps.
Arrays have the K alternatives that are followed at once last, (..., K), but for the coefficients, (K, T).
"""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from ..plan.schedule import Quantity

NO_ANCHOR = -1


@dataclass(frozen=True)
class Rules:
    """anchors: how many computed evaluations a forecast is made of. ridge: how much smaller weights are preferred.

    making_up: the share of the latent's error that the next output makes up for; 0 forecasts each output by itself.
    response: how the model itself draws the latent back; 0 not at all, 1 as if its picture never changed.
    answering: weights are chosen by what error_propagation.py knows of that instead.
    """
    anchors: int = 4
    ridge: float = 1e-5
    making_up: float = 1.
    response: float = .5
    answering: bool = False


@dataclass(frozen=True)
class Step:
    """One evaluation in C * K alternatives: it is computed in those of the first choice, and so on.

    weights: (1 + A, C * K), summing to one, of its own output (0 if it is not computed) and of the anchors before it.
    anchors, overlap: (A, C * K) as of Drift, after it.
    """
    weights: np.ndarray
    anchors: np.ndarray
    overlap: np.ndarray


class LatentError:
    """K alternative runs, evaluation by evaluation.

    anchors: (A, K) the evaluations computed last, newest first, NO_ANCHOR where there are fewer. error: (K, T) of the
    latent, T evaluations being done; overlap: (A, K) its products with the anchors' outputs.
    """

    def __init__(self, gram: np.ndarray, times: np.ndarray, rules: Rules, quantity: Quantity = Quantity.VELOCITY,
                 error: np.ndarray | None = None, computed: Sequence[int] = ()):
        """gram: of the outputs at all evaluations of the run; times: theirs, descending, and that of the result.

        error: (T,), of a run that is begun; computed: which of its evaluations were.
        """
        self._gram = gram
        self._times = times
        self._rules = rules
        self._quantity = quantity
        self.error = np.zeros((1, 0)) if error is None else error[None]
        newest = [*sorted(computed, reverse=True), *[NO_ANCHOR] * rules.anchors]
        self.anchors = np.array(newest[:rules.anchors])[:, None]
        self.overlap = (gram[:, :self.now] @ self.error[0])[self.anchors]

    @property
    def now(self) -> int:
        """The evaluation that is next."""
        return self.error.shape[1]

    def step(self, choices: Sequence[bool], weights: np.ndarray | None = None) -> Step:
        """The next evaluation, computed (True), not computed (False) or either in turn; with the best weights, unless
        others are given, (1 + A, C * K)."""
        left, reach = self._motion()
        used = np.concatenate([np.full((1, len(self.error)), self.now), self.anchors])  # (1 + A, K)
        gram = self._gram[used[:, None], used]  # (1 + A, 1 + A, K)
        overlap = np.concatenate([[self.error @ self._gram[:self.now, self.now]], self.overlap])
        if weights is None:
            weights = self._best_weights(choices, gram, gram[:, 0] - self._rules.making_up / reach * overlap)
        wrong = weights.reshape(len(used), len(choices), -1).copy()
        wrong[0] -= 1
        after = left * overlap[:, None] + reach * np.einsum("ijk,jck->ick", gram, wrong)
        kept = [slice(0, -1) if computed else slice(1, None) for computed in choices]
        return Step(weights, np.concatenate([used[part] for part in kept], 1),
                    np.concatenate([after[part, index] for index, part in enumerate(kept)], 1))

    def _best_weights(self, choices: Sequence[bool], gram: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """(1 + A, C * K), of the outputs whose products are in `gram`, (1 + A, 1 + A, K)."""
        missing = None
        if (self.anchors[-1] == NO_ANCHOR).any():
            missing = np.concatenate([np.zeros_like(self.anchors[:1], bool), self.anchors == NO_ANCHOR])
        weights = np.zeros((len(gram), len(choices), gram.shape[-1]))
        for index, computed in enumerate(choices):
            usable = slice(0 if computed else 1, None)
            weights[usable, index] = best_weights(gram[usable, usable], wanted[usable], self._rules.ridge,
                                                  None if missing is None else missing[usable])
        return weights.reshape(len(gram), -1)

    def follow(self, step: Step, chosen: np.ndarray) -> None:
        """Go on with the alternatives of these numbers."""
        left, reach = self._motion()
        origin, weights = chosen % len(self.error), step.weights[:, chosen]
        error = np.concatenate([left * self.error[origin], reach * (weights[:1].T - 1)], 1)
        error[np.arange(len(chosen)), self.anchors[:, origin]] += reach * weights[1:]
        self.error = error
        self.anchors, self.overlap = step.anchors[:, chosen], step.overlap[:, chosen]

    def _motion(self) -> tuple[float, float]:
        """What the next evaluation leaves of the latent's error, and how far its own output moves the latent."""
        start, end = self._times[self.now:self.now + 2].tolist()
        response = 1. if self._quantity is Quantity.PICTURE else self._rules.response
        return (end / start) ** response, reach_of(self._quantity, start, end)


def reach_of(quantity: Quantity, start: float, end: float) -> float:
    """How far an output moves the latent from one time to the next."""
    return 1 - end / start if quantity is Quantity.PICTURE else end - start


def best_weights(gram: np.ndarray, wanted: np.ndarray, ridge: float, missing: np.ndarray | None = None) -> np.ndarray:
    """The weights (M, K), summing to one, of M anchors whose sum comes closest to what is wanted.

    gram: (M, M, K) of the anchors, newest first; wanted: (M, K) the products of what is wanted with each. missing: (M,
    K) True where there is no such anchor, which then gets no weight. Least squares in closed form, around the newest
    anchor: ridge draws the weights of the others towards zero.
    """
    change = gram[1:] - gram[0]  # (M - 1, M, K), from the newest anchor to each other
    left, right = change[:, 1:] - change[:, :1], wanted[1:] - wanted[0] - change[:, 0]
    diagonal = np.einsum("iik->ik", left)  # a view
    if missing is None:
        diagonal += ridge / max(1, len(diagonal)) * diagonal.sum(0) + 1e-12
    else:
        missing = missing[1:]
        left[missing[:, None] | missing] = right[missing] = 0
        diagonal += np.where(missing, 1, ridge * diagonal.sum(0) / np.maximum(1, (~missing).sum(0)) + 1e-12)
    found = np.linalg.solve(left.transpose(2, 0, 1), right.T[:, :, None])[:, :, 0].T
    return np.concatenate([1 - found.sum(0, keepdims=True), found])
