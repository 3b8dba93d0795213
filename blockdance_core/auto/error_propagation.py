"""How an error of the latent spreads: the model sees it, and its outputs change with it.

latent_error.py takes the outputs of a reused run for those of a full one. In truth the latent is off by e there, and a
computed velocity at time t is off, too:

    v(x + e, t) = v(x, t) + s(t) (e + u),   s(t) = RESPONSE + LATE_RESPONSE / t,   |u| = RESPONSE_UNCERTAINTY |e|

with u in no known direction. Extrapolations multiply both. Weights are mostly chosen without this, since s is known too
roughly; but a plan whose weights are large where the latent is off much is no good plan, and here that shows. Where
even the best plan leaves much error (ROUGH_QUALITY), weights that know of s are the better ones.

Arrays have K alternatives last, (..., K), but for coefficients, (..., K, T), one of each output of the kernel.
"""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from ..plan.schedule import Quantity
from .constants import LATE_RESPONSE, RESPONSE, RESPONSE_UNCERTAINTY
from .latent_error import NO_ANCHOR, best_weights, reach_of


@dataclass(frozen=True)
class Outcome:
    """One evaluation of C * K alternatives, as of drift.Step. size: (C * K,) of the latent's error after it, squared.

    move: (2 + A, C * K), that error in terms of the output now, the error before and the anchors; products: of this
    error and its anchors (1 + A, 1 + A, C * K); doubts: (A, C * K), squared.
    """
    size: np.ndarray
    move: np.ndarray
    products: np.ndarray
    doubts: np.ndarray
    computed: np.ndarray


class ErrorPropagation:
    """The same K alternative runs as a Drift follows, beginning where it stands."""

    def __init__(self, gram: np.ndarray, times: np.ndarray, quantity: Quantity, error: np.ndarray,
                 anchors: np.ndarray):
        """gram: (T, T), times: (T + 1,) as of Drift. error: (N,) of the latent after N evaluations; anchors: (A,) the
        latest that were computed, newest first, NO_ANCHOR where there are fewer."""
        self._gram = gram
        self._times = times
        self._quantity = quantity
        self._now = len(error)
        self._vectors = np.zeros((1 + len(anchors), 1, len(gram)))  # the error, and the anchors as the model gave them
        self._vectors[0, 0, :len(error)] = error
        for place, anchor in enumerate(anchors, 1):
            if anchor != NO_ANCHOR:
                self._vectors[place, 0, anchor] = 1
        self._doubts = np.zeros((len(anchors), 1))
        self._products = np.einsum("ikn,jkn->ijk", self._vectors @ gram, self._vectors)
        self._size = self._products[0, 0]

    @property
    def error(self) -> np.ndarray:
        """(K, N) of the latent."""
        return self._vectors[0, :, :self._now]

    def weights(self, choices: Sequence[bool], anchors: np.ndarray, ridge: float) -> np.ndarray:
        """The best weights for the next evaluation if the answer and its doubt are as assumed here: (1 + A, C * K).

        anchors: (A, K) as of Drift.
        """
        _, reach, answer, doubt = self._motion()
        products = self._with_now()
        doubts = np.concatenate([doubt ** 2 * self._size[None], self._doubts])
        missing = np.concatenate([np.zeros((1, len(self._size)), bool), anchors == NO_ANCHOR])
        found = np.zeros((len(doubts), len(choices), len(self._size)))
        given = np.delete(products, 1, 0)  # products of the outputs as the model gives them, its own first
        given[0] += answer * products[1]
        gram, error = np.delete(given, 1, 1), given[:, 1]
        gram[:, 0] += answer * error
        wanted = given[:, 0] - error / reach
        gram[range(len(doubts)), range(len(doubts))] += doubts
        for index, computed in enumerate(choices):
            used = slice(0 if computed else 1, None)
            found[used, index] = best_weights(gram[used, used], wanted[used], ridge, missing[used])
        return found.reshape(len(doubts), -1)

    def _with_now(self) -> np.ndarray:
        """The products (2 + A, 2 + A, K) of the output now, without an answer, the error and the anchors."""
        products = np.empty((len(self._products) + 1,) * 2 + (len(self._size),))
        products[1:, 1:] = self._products
        products[0, 1:] = products[1:, 0] = self._vectors[..., :self._now] @ self._gram[:self._now, self._now]
        products[0, 0] = self._gram[self._now, self._now]
        return products

    def step(self, weights: np.ndarray, choices: Sequence[bool]) -> Outcome:
        """The next evaluation with these weights, (1 + A, C * K), of its own output and of the anchors before it."""
        left, reach, answer, doubt = self._motion()
        size = len(self._size)
        products = self._with_now()
        own = products[0] + answer * products[1]
        outcomes = []
        for computed, given in zip(choices, np.split(weights, len(choices), 1)):
            move = np.concatenate([reach * given[:1], np.full((1, size), left), reach * given[1:]])
            move[1] += answer * move[0]
            move[0] -= reach
            after = np.einsum("ijk,jk->ik", products, move)
            error = np.einsum("ik,ik->k", move, after)
            doubts = np.concatenate([doubt ** 2 * self._size[None], self._doubts])
            unknown = reach ** 2 * (given ** 2 * doubts).sum(0)
            kept = products[1:, 1:].copy()
            if computed:
                kept[2:, 2:] = products[2:-1, 2:-1]
                kept[1, 1:] = kept[1:, 1] = np.concatenate([(own[0] + answer * own[1])[None], own[2:-1]])
                kept[0, 1:] = np.concatenate([(after[0] + answer * after[1])[None], after[2:-1]])
            else:
                kept[0, 1:] = after[2:]
            kept[1:, 0], kept[0, 0] = kept[0, 1:], error
            outcomes.append(Outcome(error + unknown, move, kept, doubts[:-1] if computed else doubts[1:],
                                    np.full(size, computed)))
        return Outcome(*(np.concatenate([getattr(outcome, name) for outcome in outcomes], -1)
                         for name in Outcome.__annotations__))

    def follow(self, outcome: Outcome, chosen: np.ndarray) -> None:
        """Go on with the alternatives of these numbers."""
        before, move = self._vectors[:, chosen % len(self._size)], outcome.move[:, chosen]
        error = np.einsum("ik,ikn->kn", move[1:], before)
        error[:, self._now] += move[0]
        own = self._motion()[2] * before[0]
        own[:, self._now] += 1
        self._vectors = np.concatenate([error[None], np.where(
            outcome.computed[chosen][:, None], np.concatenate([own[None], before[1:-1]]), before[1:])])
        self._products, self._doubts = outcome.products[..., chosen], outcome.doubts[:, chosen]
        self._size = outcome.size[chosen]
        self._now += 1

    def _motion(self) -> tuple[float, float, float, float]:
        """What the next evaluation leaves of the latent's error, how far its output moves the latent, how much of the
        error it takes on, and how much more that nobody knows."""
        start, end = self._times[self._now:self._now + 2].tolist()
        answer, reach = RESPONSE + LATE_RESPONSE / start, reach_of(self._quantity, start, end)
        if self._quantity is Quantity.PICTURE:  # the latent minus its velocity times t
            return end / start, reach, 1 - start * answer, start * answer * RESPONSE_UNCERTAINTY
        return 1., reach, answer, answer * RESPONSE_UNCERTAINTY
