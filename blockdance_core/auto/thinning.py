"""Plans of long runs: searched for on some of the evaluations, spread over all, and carried over to the whole run.

A search walks through a run with more alternatives the longer it is, which takes minutes for a thousand steps. There
neighbours say nearly the same, and what counts is how densely each stretch of the run is computed. So a run longer than
LONGEST is thinned to so many evaluations, and the run itself is only walked through once for each plan that was found.
"""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

LONGEST = 64  # evaluations


@dataclass(frozen=True)
class Thinned:
    """A thinned run, as planner.search wants it: gram (S, S), times (S + 1,), and what is begun.

    kept: the evaluations that are left of the `steps` of the whole run. What is begun stands before them in few
    entries: the latent's error, as if that were an output, and the anchors.
    """
    gram: np.ndarray
    times: np.ndarray
    error: np.ndarray
    computed: tuple[int, ...]
    kept: np.ndarray
    steps: int

    @classmethod
    def of(cls, gram: np.ndarray, times: np.ndarray, anchors: Sequence[int], error: np.ndarray) -> "Thinned":
        """gram: (T, T), times: (T + 1,). anchors: the latest evaluations that were computed; error: of the latent so
        far, one entry for each evaluation (drift.py)."""
        steps, now = len(gram), len(error)
        kept = np.linspace(now, steps - 1, min(LONGEST, steps - now)).round().astype(int)
        parts = np.zeros((bool(now) + len(anchors) + len(kept), steps))  # each new entry in terms of the outputs
        first = len(parts) - len(kept)
        parts[range(first, len(parts)), kept] = 1
        if now:
            parts[0, :now] = error
            parts[range(1, first), anchors] = 1
        return cls(parts @ gram @ parts.T, np.concatenate([np.full(first, times[now]), times[kept], times[-1:]]),
                   np.eye(1, first)[0], tuple(range(1, first)), kept, steps)

    def count(self, count: int) -> int:
        """How many of its evaluations a thinned plan computes for so many of those to come in the whole run."""
        share = count / (self.steps - self.kept[0])
        return len(self.computed) + max(1, round(share * len(self.kept)))

    def whole(self, computed: Sequence[int], count: int) -> tuple[int, ...]:
        """So many evaluations of those to come, as densely spread as these of the thinned run."""
        chosen = self.kept[[number - len(self.error) for number in computed[len(self.computed):]]]
        if len(self.kept) == self.steps - self.kept[0]:
            return tuple(chosen.tolist())
        chosen = np.union1d(chosen, [self.steps - 1])  # a few at the end that are not computed were many in the run
        even = np.linspace(0, len(chosen) - 1, count)
        places = np.interp(even, np.arange(len(chosen)), chosen).round().astype(int)
        numbers = np.arange(count)
        places = np.maximum.accumulate(places - numbers) + numbers  # one evaluation each
        return tuple(np.minimum(places, self.steps - count + numbers).tolist())
