"""How far the latent of a reused run is from that of the full one, and the weights that keep it close.

Every output of a reused run is a weighted sum of outputs that were computed, so its error is a combination of the
model's outputs, and the kernel tells its size without looking at a single tensor. The latent adds these errors up. Each
new output is therefore chosen to be right itself and to make up for what the latent has gathered, which interpolates
now what had to be extrapolated before; computed evaluations take part in that.

A model that is given a latent that is off by e gives another output. A computed velocity at time t is off, too:

    v(x + e, t) = v(x, t) + s(t) (e + u),   s(t) = RESPONSE + LATE_RESPONSE / t,   |u| = RESPONSE_UNCERTAINTY |e|

with u in no known direction. Extrapolations multiply both, so weights are small where the latent is off much.

What a next output needs of the error are its products with the outputs it is made of. They are carried along from
evaluation to evaluation, since taking them from the whole kernel anew costs the square of the steps. Arrays have the K
alternatives that are followed at once last, (..., K), but for coefficients of the T outputs, (..., K, T).
"""

from dataclasses import dataclass
from typing import NamedTuple, Sequence

import numpy as np

from ..plan.schedule import Quantity
from .constants import ANCHORS, GROWTH, LATE_RESPONSE, RESPONSE, RESPONSE_UNCERTAINTY

NO_ANCHOR = -1


@dataclass(frozen=True)
class Rules:
    """anchors: how many computed evaluations an output is made of. ridge: how much smaller weights are preferred.

    making_up: the share of the latent's error that the next output makes up for; 0 extrapolates each output by itself.
    growth: g, of an error of the latent at time t that becomes e^(g t) times as large until the end (planner.py).
    """
    anchors: int = ANCHORS
    ridge: float = 1e-5
    making_up: float = 1.
    growth: float = GROWTH


class Step(NamedTuple):
    """One evaluation in C * K alternatives: it is computed in those of the first choice, and so on.

    weights: (1 + A, C * K), summing to one, of its own output (0 if it is not computed) and of the anchors before it.
    size: (C * K,) of the latent's error after it, squared. error: (2 + A, C * K), that error in terms of the output
    now, the error before and the anchors. products: of this error and its anchors (1 + A, 1 + A, C * K); unknown: (A, C
    * K) what the anchors are off in no known direction, squared.
    """
    weights: np.ndarray
    computed: np.ndarray
    size: np.ndarray
    error: np.ndarray
    products: np.ndarray
    unknown: np.ndarray


class LatentError:
    """K alternative runs, evaluation by evaluation.

    anchors: (A, K) the evaluations computed last, newest first, NO_ANCHOR where there are fewer.
    """

    def __init__(self, gram: np.ndarray, times: np.ndarray, rules: Rules, quantity: Quantity = Quantity.VELOCITY,
                 error: np.ndarray | None = None, computed: Sequence[int] = ()):
        """gram: of the outputs at all evaluations of the run; times: theirs, descending, and that of the result.

        error: (N,), of a run of which N evaluations are done; computed: which of them were.
        """
        error = np.zeros(0) if error is None else error
        newest = [*sorted(computed, reverse=True), *[NO_ANCHOR] * rules.anchors]
        self.now = len(error)  # the evaluation that is next
        self.anchors = np.array(newest[:rules.anchors])[:, None]
        self._gram = gram
        self._times = times
        self._rules = rules
        self._quantity = quantity
        self._vectors = np.zeros((1 + rules.anchors, 1, len(gram)))  # the error, and the anchors as the model gave them
        self._vectors[0, 0, :self.now] = error
        for place, anchor in enumerate(self.anchors[:, 0], 1):
            if anchor != NO_ANCHOR:
                self._vectors[place, 0, anchor] = 1
        self._unknown = np.zeros((rules.anchors, 1))
        self._products = np.einsum("ikn,jkn->ijk", self._vectors @ gram, self._vectors)
        self._size = self._products[0, 0]

    @property
    def error(self) -> np.ndarray:
        """Of the latent after the evaluations so far, (K, N)."""
        return self._vectors[0, :, :self.now]

    def step(self, choices: Sequence[bool]) -> Step:
        """The next evaluation, computed (True), not computed (False) or either in turn, with the best weights."""
        kept, moved, response, unknown = self._motion()
        products, size = self._with_now(), len(self._size)
        own = products[0] + response * products[1]  # what the model gives now
        unknowns = np.concatenate([unknown ** 2 * self._size[None], self._unknown])  # (1 + A, K)
        given = products[1:].copy()  # products of the outputs as the model gives them, own first
        given[0] = own
        error, gram = given[:, 1], given[:, 1:].copy()
        gram[:, 0] = given[:, 0] + response * error
        _diagonal(gram)[:] += unknowns
        wanted = given[:, 0] - self._rules.making_up / moved * error
        steps = []
        for computed, weights in zip(choices, self._weights(choices, gram, wanted)):
            error = np.empty((len(weights) + 1, size))
            error[0], error[2:] = moved * weights[0], moved * weights[1:]
            error[1] = kept + response * error[0]
            error[0] -= moved
            after = np.einsum("ijk,jk->ik", products, error)
            square = np.einsum("ik,ik->k", error, after)
            new = products[1:, 1:].copy()
            if computed:
                new[2:, 2:] = products[2:-1, 2:-1]
                new[1, 1:] = new[1:, 1] = np.concatenate([(own[0] + response * own[1])[None], own[2:-1]])
                new[0, 1:] = np.concatenate([(after[0] + response * after[1])[None], after[2:-1]])
            else:
                new[0, 1:] = after[2:]
            new[1:, 0], new[0, 0] = new[0, 1:], square
            steps.append(Step(weights, np.full(size, computed), square + moved ** 2 * (weights ** 2 * unknowns).sum(0),
                              error, new, unknowns[:-1] if computed else unknowns[1:]))
        if len(steps) == 1:
            return steps[0]
        return Step(*(np.concatenate(parts, -1) for parts in zip(*steps)))

    def _weights(self, choices: Sequence[bool], gram: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """The best weights for each choice, (C, 1 + A, K), as of best_weights for the output now and the anchors."""
        missing = None
        if (self.anchors[-1] == NO_ANCHOR).any():
            missing = np.concatenate([np.zeros((1, len(self._size)), bool), self.anchors == NO_ANCHOR])
        found = np.zeros((len(choices), *wanted.shape))
        for weights, computed in zip(found, choices):
            used = slice(0 if computed else 1, None)
            weights[used] = best_weights(gram[used, used], wanted[used], self._rules.ridge,
                                         None if missing is None else missing[used])
        return found

    def _with_now(self) -> np.ndarray:
        """The products (2 + A, 2 + A, K) of the output now, without a response, the error and the anchors."""
        products = np.empty((len(self._products) + 1,) * 2 + (len(self._size),))
        products[1:, 1:] = self._products
        products[0, 1:] = products[1:, 0] = self._vectors[..., :self.now] @ self._gram[:self.now, self.now]
        products[0, 0] = self._gram[self.now, self.now]
        return products

    def follow(self, step: Step, chosen: np.ndarray) -> None:
        """Go on with the alternatives of these numbers."""
        origin, computed = chosen % len(self._size), step.computed[chosen]
        before, part = self._vectors[:, origin], step.error[:, chosen]
        error = np.einsum("ik,ikn->kn", part[1:], before)
        error[:, self.now] += part[0]
        given, anchors = before[1:], self.anchors[:, origin]
        if computed.any():
            own = self._motion()[2] * before[0]
            own[:, self.now] += 1
            newest = np.full((1, len(chosen)), self.now)
            given = np.where(computed[:, None], np.concatenate([own[None], given[:-1]]), given)
            anchors = np.where(computed, np.concatenate([newest, anchors[:-1]]), anchors)
        self._vectors, self.anchors = np.concatenate([error[None], given]), anchors
        self._products, self._unknown = step.products[..., chosen], step.unknown[:, chosen]
        self._size = step.size[chosen]
        self.now += 1

    def _motion(self) -> tuple[float, float, float, float]:
        """What the next evaluation keeps of the latent's error, how far its output moves the latent, how much of the
        error it takes on, and how much more in no known direction."""
        start, end = self._times[self.now:self.now + 2].tolist()
        response, moved = RESPONSE + LATE_RESPONSE / start, moved_by(self._quantity, start, end)
        if self._quantity is Quantity.PICTURE:  # the latent minus its velocity times t
            return end / start, moved, 1 - start * response, start * response * RESPONSE_UNCERTAINTY
        return 1., moved, response, response * RESPONSE_UNCERTAINTY


def moved_by(quantity: Quantity, start: float, end: float) -> float:
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
    diagonal = _diagonal(left)
    if missing is None:
        diagonal += ridge / max(1, len(diagonal)) * diagonal.sum(0) + 1e-12
    else:
        missing = missing[1:]
        left[missing[:, None] | missing] = right[missing] = 0
        diagonal += np.where(missing, 1, ridge * diagonal.sum(0) / np.maximum(1, (~missing).sum(0)) + 1e-12)
    found = np.empty(wanted.shape)
    found[1:] = np.linalg.solve(left.transpose(2, 0, 1), right.T[:, :, None])[:, :, 0].T
    found[0] = 1 - found[1:].sum(0)
    return found


def _diagonal(products: np.ndarray) -> np.ndarray:
    """That of (M, M, K), as a view (M, K)."""
    return products.reshape(-1, products.shape[-1])[::len(products) + 1]
