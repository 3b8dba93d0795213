"""Which evaluations of a run to compute: a search over all choices at once, by the drift that each would cause."""

from dataclasses import dataclass

import numpy as np

from ..flow_time import Quantity
from .drift import NO_ANCHOR, Drift, Rules

BEAM = 12  # alternatives kept for each number of computed evaluations


@dataclass(frozen=True)
class Candidate:
    """computed: the evaluations to compute; quality: how close the result is expected to be to the full one, in dB."""
    computed: tuple[int, ...]
    quality: float


@dataclass(frozen=True)
class Begun:
    """A run of which so many evaluations are done; computed: which of them were; error: (T,), of the latent since."""
    evaluations: int
    computed: tuple[int, ...]
    error: np.ndarray


def search(gram: np.ndarray, times: np.ndarray, rules: Rules = Rules(), quantity: Quantity = Quantity.VELOCITY,
           beam: int = BEAM, begun: Begun | None = None) -> tuple[Candidate, ...]:
    """The best choice for every number of computed evaluations, from one to all of them.

    gram: (T, T) of the outputs; times: (T + 1,). All alternatives walk through the run together; among those that have
    computed equally many, the ones whose latent has drifted least so far go on. What is begun is part of all of them.
    """
    count = len(gram)
    begun = begun or Begun(0, (), np.zeros(count))
    drift = Drift(gram, times, rules, quantity, begun.error[None])
    newest = [*begun.computed[::-1], *[NO_ANCHOR] * (rules.anchors + 1)]
    anchors = np.array([newest[:rules.anchors + 1]])
    computed = np.isin(np.arange(count), begun.computed)[None]
    score = np.zeros(1)
    for now in range(begun.evaluations, count):
        branches = []
        for compute in (True, False) if now else (True,):
            if compute:
                used = np.concatenate([np.full((len(anchors), 1), now), anchors[:, :-1]], 1)
                kept = used
            else:
                used = np.where(np.arange(anchors.shape[1]) < rules.anchors, anchors, NO_ANCHOR)
                kept = anchors
            branch = Drift(gram, times, rules, quantity, drift.error)
            size = branch.advance(now, used, branch.weights(now, used))
            taken = computed.copy()
            taken[:, now] = compute
            branches.append((branch.error, kept, taken, score + size * weight(times, now)))
        error, anchors, computed, score = (np.concatenate(parts) for parts in zip(*branches))
        kept = _best(computed.sum(1), score, beam)
        drift.error, anchors, computed, score = error[kept], anchors[kept], computed[kept], score[kept]
    found = {}
    for index in np.argsort(score, kind="stable"):
        found.setdefault(int(computed[index].sum()), index)
    return tuple(Candidate(tuple(np.flatnonzero(computed[index]).tolist()), _decibels(score[index]))
                 for _, index in sorted(found.items()))


def weight(times: np.ndarray, now: int) -> float:
    """How much the latent's error after an evaluation counts, against that of the result.

    The model sees the latent with it at the next evaluations and answers to it; the later, the more sensitive.
    """
    return 1. if now == len(times) - 2 else float(times[now] - times[now + 1])


def _best(groups: np.ndarray, score: np.ndarray, beam: int) -> np.ndarray:
    """The indices of the `beam` lowest scores in each group."""
    order = np.lexsort((score, groups))
    sizes = np.unique(groups, return_counts=True)[1]
    rank = np.concatenate([np.arange(size) for size in sizes])
    return order[rank < beam]


def _decibels(error: float) -> float:
    """A mean square error against outputs of mean square 1; below the numbers' own rounding it is none."""
    return float(-10 * np.log10(error)) if error > 1e-14 else float("inf")
