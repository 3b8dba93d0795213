"""Forecasts that add up: how far the latent of a reused run is from that of the full one, and the weights that keep
it close.

Every output of a reused run is a weighted sum of outputs that were computed. Each of these is what the kernel has
measured and an answer to the latent's error at the time (answer.py), which is itself a sum of such errors. So all of
it is a combination of the outputs of a full run and of doubts, and the kernel tells its size without looking at a
single tensor. Each new output is chosen to be right itself and to make up for what the latent has gathered, which
interpolates now what had to be extrapolated before; computed evaluations take part in that.

What that needs are the products of the error and of the latest anchors with each other. They are carried along from
evaluation to evaluation, since taking them from the whole kernel anew costs the square of the steps. Arrays have the K
alternatives that are followed at once last, (..., K), but for coefficients, (..., K, T), one of each output.
"""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from ..flow_time import Quantity
from .answer import Motion, motion

NO_ANCHOR = -1


@dataclass(frozen=True)
class Rules:
    """anchors: how many computed evaluations a forecast is made of. ridge: how much smaller weights are preferred."""
    anchors: int = 4
    ridge: float = 1e-5


@dataclass(frozen=True)
class Step:
    """One evaluation in C * K alternatives: it is computed in those of the first choice, and so on.

    weights: (1 + A, C * K), summing to one, of its own output (0 if it is not computed) and of the anchors before it.
    size: (C * K,) of the latent's error after it, squared. anchors: (A, C * K) after it; products: (1 + A, 1 + A, C *
    K) of that error and of what these gave; computed: (C * K,).
    """
    weights: np.ndarray
    size: np.ndarray
    anchors: np.ndarray
    products: np.ndarray
    computed: np.ndarray


class Drift:
    """K alternative runs, evaluation by evaluation.

    anchors: (A, K) the evaluations computed last, newest first, NO_ANCHOR where there are fewer.
    """

    def __init__(self, gram: np.ndarray, times: np.ndarray, rules: Rules, quantity: Quantity = Quantity.VELOCITY,
                 error: np.ndarray | None = None, computed: Sequence[int] = ()):
        """gram: (T, T) of the outputs at all evaluations of the run; times: (T + 1,) theirs, descending, and that of
        the result.

        error: (N,), of a run of which N evaluations are done; computed: which of them were.
        """
        self._gram = gram
        self._times = times
        self._rules = rules
        self._quantity = quantity
        newest = [*sorted(computed, reverse=True), *[NO_ANCHOR] * rules.anchors]
        self.anchors = np.array(newest[:rules.anchors])[:, None]
        self.now = 0 if error is None else len(error)  # the evaluation that is next
        self._vectors = np.zeros((1 + rules.anchors, 1, len(gram)))  # of the error and of what the anchors gave
        if error is not None:
            self._vectors[0, 0, :self.now] = error
        for place, anchor in enumerate(self.anchors[:, 0], 1):
            self._vectors[place, 0, anchor] = anchor != NO_ANCHOR
        self._products = np.einsum("ikn,jkn->ijk", self._vectors @ gram, self._vectors)

    @property
    def error(self) -> np.ndarray:
        """(K, N) of the latent, N evaluations being done, in terms of the outputs of a full run."""
        return self._vectors[0, :, :self.now]

    def step(self, choices: Sequence[bool]) -> Step:
        """The next evaluation with the best weights, computed (True), not computed (False) or either in turn."""
        move, size = self._motion(), len(self.error)
        among = self._among()
        given, wanted = self._given(among, move)
        used = np.concatenate([np.full((1, size), self.now), self.anchors])  # (1 + A, K)
        missing = used == NO_ANCHOR if (self.anchors[-1] == NO_ANCHOR).any() else None
        steps = []
        for computed in choices:
            usable, weights = slice(0 if computed else 1, None), np.zeros((len(used), size))
            weights[usable] = best_weights(given[usable, usable], wanted[usable], self._rules.ridge,
                                           None if missing is None else missing[usable])
            kept = slice(0, -1) if computed else slice(1, None)
            changes = _changes(weights, move)
            after = np.einsum("ijk,jk->ik", among, changes)  # products of the new error
            doubted = move.reach * weights[0] * (move.doubt ** 2 * self._products[0, 0])
            products = np.empty_like(self._products)
            products[0, 0] = np.einsum("ik,ik->k", changes, after) + move.reach * weights[0] * doubted
            with_given = np.concatenate([(after[0] + move.answer * after[1] + doubted)[None], after[2:]])
            products[0, 1:] = products[1:, 0] = with_given[kept]
            products[1:, 1:] = given[kept, kept]
            steps.append(Step(weights, products[0, 0], used[kept], products, np.full(size, computed)))
        return Step(*(np.concatenate([getattr(step, name) for step in steps], -1) for name in Step.__annotations__))

    def follow(self, step: Step, chosen: np.ndarray) -> None:
        """Go on with the alternatives of these numbers."""
        move = self._motion()
        before = self._vectors[:, chosen % len(self.error)]
        changes = _changes(step.weights[:, chosen], move)
        error = np.einsum("ik,ikn->kn", changes[1:], before)
        error[:, self.now] += changes[0]
        own = move.answer * before[0]
        own[:, self.now] += 1
        self._vectors = np.concatenate([error[None], np.where(
            step.computed[chosen][:, None], np.concatenate([own[None], before[1:-1]]), before[1:])])
        self.anchors, self._products = step.anchors[:, chosen], step.products[..., chosen]
        self.now += 1

    def _motion(self) -> Motion:
        return motion(self._quantity, *self._times[self.now:self.now + 2].tolist())

    def _among(self) -> np.ndarray:
        """The products (2 + A, 2 + A, K) of the full run's output now, of the error and of what the anchors gave."""
        products = np.empty((len(self._products) + 1,) * 2 + (len(self.error),))
        products[1:, 1:] = self._products
        products[0, 1:] = products[1:, 0] = self._vectors[..., :self.now] @ self._gram[:self.now, self.now]
        products[0, 0] = self._gram[self.now, self.now]
        return products

    def _given(self, among: np.ndarray, move: Motion) -> tuple[np.ndarray, np.ndarray]:
        """The products of what the model would give now and of what the anchors gave, (1 + A, 1 + A, K), and theirs
        with the output that leaves no error, (1 + A, K)."""
        own = among[0] + move.answer * among[1]  # (2 + A, K), with the doubt apart
        with_right = np.concatenate([(own[0] - own[1] / move.reach)[None], among[0, 2:] - among[1, 2:] / move.reach])
        given = np.empty_like(self._products)
        given[1:, 1:] = among[2:, 2:]
        given[0, 1:] = given[1:, 0] = own[2:]
        given[0, 0] = own[0] + move.answer * own[1] + move.doubt ** 2 * among[1, 1]
        return given, with_right


def _changes(weights: np.ndarray, move: Motion) -> np.ndarray:
    """The latent's new error (2 + A, ...) in terms of the full run's output now, of the error and of the anchors."""
    left = np.full_like(weights[:1], move.left) + move.reach * move.answer * weights[:1]
    return np.concatenate([move.reach * (weights[:1] - 1), left, move.reach * weights[1:]])


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
