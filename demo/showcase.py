"""What the main job shows of a world: its captions, the ways of sampling that it compares, and how it judges."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import workflow
from .picture import Arm

DELTA = (("N", 2), ("n_cached", -1))
# As their papers have them
DELTA_METHODS = (
    Arm("Delta-Cache", "DeltaCachePatch", (*DELTA, ("first_block", 6), ("start", 0.), ("end", 1.))),
    Arm("Delta-DiT", "DeltaDiTPatch", (*DELTA, ("b", .6), ("budget", 0.))))


@dataclass(frozen=True)
class Verdict:
    """Of so many things that a picture was to show, how many are right."""
    right: int
    of: int

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(self.right + other.right, self.of + other.of)


@dataclass(frozen=True)
class Measuring:
    """The run before the comparison in which Auto measures the model: with a caption that is not compared."""
    arm: Arm
    caption: str


@dataclass(frozen=True)
class Showcase:
    """arms: the first is full sampling, which the others are compared with.
    captions: so many of them.
    judge: of a caption and the pixels (S, S, 3) in [0, 1] of its picture.
    judged: the judge's column in the table; said: the same in a sentence, with {right} and {of}.
    weights_name: what the prompt calls the model's file."""
    template: workflow.Template
    weights_name: str
    arms: tuple[Arm, ...]
    captions: Callable[[int], list[str]]
    judge: Callable[[str, np.ndarray], Verdict]
    judged: str
    said: str
    measuring: Measuring | None = None


def blockdance(N: int) -> Arm:
    return Arm(f"BlockDance N={N}", "BlockDancePatch",
               (("N", N), ("block_index", -1), ("start", .40), ("end", .95)))


def auto(speedup: float, profile: str) -> Arm:
    """As fast as asked, whatever it costs: the comparison is to show that."""
    return Arm(f"Auto {speedup:g}x", "BlockDanceAuto",
               (("speedup", speedup), ("profile", profile), ("least_quality", 0.)))

