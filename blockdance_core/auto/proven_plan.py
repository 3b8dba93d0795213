"""A plan that was tried in runs of the model, and what these have shown: how close it comes, and better weights."""

from dataclasses import dataclass
from typing import Sequence

from .constants import ANCHORS


@dataclass(frozen=True)
class ProvenPlan:
    """computed: the evaluations that it computes, ascending from 0.

    way: of sampling, in which it was tried (Schedule.way); quality: how close it came to full runs, in dB of a result's
    error against outputs of mean square 1. Older files have neither.
    changes: what these runs add to the weights of a kernel (gauss_newton.py), a row for each computed
    evaluation: in its output and in those up to the next computed one, of it and of those before it, newest first. Rows
    sum to zero. Empty where there is nothing to change.
    """
    computed: tuple[int, ...]
    way: str = ""
    quality: float | None = None
    changes: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self):
        if not self.computed or list(self.computed) != sorted(set(self.computed)) or self.computed[0] != 0:
            raise ValueError(f"{str(self.computed)[:80]} is no choice of evaluations, ascending from 0")
        if self.changes and len(self.changes) != len(self.computed):
            raise ValueError(f"changes of {len(self.changes)} evaluations are none of {len(self.computed)}")
        for place, row in enumerate(self.changes):
            if len(row) > min(place + 1, ANCHORS) or not abs(sum(row)) < 1e-6 * (1 + sum(map(abs, row))):
                raise ValueError(f"changes of weights sum to zero, over the evaluations so far: {str(row)[:80]} do not")

    def changes_after(self, computed: Sequence[int]) -> dict[int, float]:
        """What is added to the weights of the next output, by the evaluation; computed: those so far."""
        if not self.changes or tuple(computed) != self.computed[:len(computed)]:
            return {}
        newest = reversed(computed)
        return {number: change for number, change in zip(newest, self.changes[len(computed) - 1]) if change}
