"""Forecasts that add up: how far the latent of a reused run is from that of the full one, and the weights that keep
it close.

Every output of a reused run is a weighted sum of outputs that were computed, so its error is a combination of the
model's outputs, and the kernel tells its size without looking at a single tensor. The latent adds these errors up. Each
new output is therefore chosen to be right itself and to make up for what the latent has gathered, which interpolates
now what had to be extrapolated before; computed evaluations take part in that.

Vectors of coefficients have one entry per evaluation of the run: (K, T), K alternatives at once.
"""

from dataclasses import dataclass

import numpy as np

from ..flow_time import Quantity

NO_ANCHOR = -1


@dataclass(frozen=True)
class Rules:
    """anchors: how many computed evaluations a forecast is made of. ridge: how much smaller weights are preferred.

    making_up: the share of the latent's error that the next output makes up for; 0 forecasts each output by itself.
    response: how the model itself draws the latent back; 0 not at all, 1 as if its picture never changed.
    """
    anchors: int = 4
    ridge: float = 1e-5
    making_up: float = 1.
    response: float = .5


class Drift:
    """The evaluations of K alternative runs, one after the other.

    gram: (T, T) of the outputs at the run's evaluations; times: (T + 1,), descending, that of the result at the end.
    error: (K, T), of the latent.
    """

    def __init__(self, gram: np.ndarray, times: np.ndarray, rules: Rules, quantity: Quantity = Quantity.VELOCITY,
                 error: np.ndarray | None = None):
        self.gram = gram
        self.times = times
        self.rules = rules
        self.quantity = quantity
        self.error = np.zeros((1, len(gram))) if error is None else error

    def weights(self, now: int, anchors: np.ndarray) -> np.ndarray:
        """The best weights (K, M) for the output at evaluation `now`, summing to one.

        anchors: (K, M) evaluations, the newest first, NO_ANCHOR where there are fewer; `now` itself if it is computed.
        """
        target = -self.rules.making_up * self.error / self._reach(now)  # (K, T)
        target[:, now] += 1
        return best_weights(self.gram, anchors, target, self.rules.ridge)

    def advance(self, now: int, anchors: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Take the output with these weights; returns the size (K,) of the latent's error after it, squared."""
        wrong = np.zeros_like(self.error)
        np.add.at(wrong, (np.arange(len(anchors))[:, None], anchors), np.where(anchors == NO_ANCHOR, 0, weights))
        wrong[:, now] -= 1
        left = self.times[now + 1] / self.times[now]
        response = 1 if self.quantity is Quantity.PICTURE else self.rules.response
        self.error = left ** response * self.error + self._reach(now) * wrong
        return np.einsum("kt,kt->k", self.error @ self.gram, self.error)

    def _reach(self, now: int) -> float:
        """How far an output moves the latent until the next evaluation."""
        start, end = self.times[now], self.times[now + 1]
        return end - start if self.quantity is Quantity.VELOCITY else 1 - end / start


def best_weights(gram: np.ndarray, anchors: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """The weights (K, M), summing to one, whose sum of anchors comes closest to a combination (K, T) of outputs.

    Least squares in closed form, around the newest anchor: ridge draws the weights of the others towards zero.
    """
    count, width = anchors.shape
    rows, others, newest = np.arange(count)[:, None], anchors[:, 1:], anchors[:, :1]
    rest = target.copy()
    rest[rows, newest] -= 1
    product = rest @ gram  # (K, T)
    missing = others == NO_ANCHOR
    right = np.where(missing, 0, product[rows, others] - product[rows, newest])  # (K, M - 1)
    left = (gram[others[:, :, None], others[:, None, :]] - gram[others, newest][:, :, None]
            - gram[newest, others][:, None, :] + gram[newest, newest][:, :, None])  # (K, M - 1, M - 1)
    left = np.where(missing[:, :, None] | missing[:, None, :], 0, left)
    diagonal = np.arange(width - 1)
    scale = left[:, diagonal, diagonal].sum(1, keepdims=True) / np.maximum(1, (~missing).sum(1, keepdims=True))
    left[:, diagonal, diagonal] += np.where(missing, 1, ridge * scale + 1e-12)
    found = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return np.concatenate([1 - found.sum(1, keepdims=True), found], 1)
