"""From measured similarity to the settings of BlockDance Patch.

The error of a reusing step is how far the features have moved since the evaluation before: their relative L1 distance.
For each block the rule finds the longest run of steps in which that stays within a tolerance, and takes the block and
window that skip most, (block_index + 1) x steps. The last block is always left to compute: its output is the model's.
"""

from bisect import bisect_left
from dataclasses import dataclass

import torch

from ..plan.plan import Kind
from ..words import count
from .similarity import Similarity

TOLERANCE = .06
FEWEST_STEPS = 4  # a shorter window is not worth a patch


@dataclass(frozen=True)
class Recommendation:
    """Settings of BlockDance Patch, and why. Not `within` where only a higher tolerance than asked for finds any."""
    block_index: int
    start: float
    end: float
    within: bool
    reason: str


def recommend(similarity: Similarity, tolerance: float = TOLERANCE) -> Recommendation:
    """The settings that skip most within this distance. Raises ValueError for a run with too few steps."""
    distance = by_step(similarity)
    steps, depth = distance.shape
    reusable = distance[:, :-1]
    limits = sorted(reusable[reusable.isfinite()].tolist())
    if not limits or len(calmest(reusable, limits[-1])[1]) < FEWEST_STEPS:
        raise ValueError(f"a run of {count(steps, 'step')} of {count(depth, 'block')} shows too little to recommend "
                         f"anything: probe one of at least {FEWEST_STEPS + 1} steps")
    block, window = calmest(reusable, tolerance)
    if within := len(window) >= FEWEST_STEPS:
        verdict = f"tolerance {tolerance:.1%}"
    else:
        reached = bisect_left(limits, True, key=lambda limit: len(calmest(reusable, limit)[1]) >= FEWEST_STEPS)
        block, window = calmest(reusable, limits[reached])
        verdict = (f"above the tolerance of {tolerance:.1%}, within which no {FEWEST_STEPS} steps in a row stay: "
                   "expect visible changes, or use more steps")
    start, end = border(similarity.percents, window[0]), border(similarity.percents, window[-1] + 1)
    moved = reusable[window[0]:window[-1] + 1, block].max()
    saved = (block + 1) * ((len(window) + 1) // 2) / (depth * steps)
    reason = (f"block_index {block}, start {start:.2f}, end {end:.2f}. In steps {window[0]} to {window[-1]} of {steps} "
              f"(from 0), the output of block {block} moves by at most {moved:.1%} from one step to the next "
              f"({verdict}). {_beyond(distance, block, window)} With N = 2 this leaves out about {saved:.0%} of all "
              "blocks.")
    return Recommendation(block, start, end, within, reason)


def calmest(distance: torch.Tensor, tolerance: float) -> tuple[int, range]:
    """The block, and the steps in a row within the tolerance, that skip most; deeper blocks win a tie."""
    windows = [longest(calm) for calm in (distance <= tolerance).T.tolist()]
    block = max(range(len(windows)), key=lambda block: ((block + 1) * len(windows[block]), block))
    return block, windows[block]


def _beyond(distance: torch.Tensor, block: int, window: range) -> str:
    """What lies around the window: earlier, later, deeper."""
    parts = []
    if window[0] > 1:
        parts.append(f"before, at step {window[0] - 1}, it is {distance[window[0] - 1, block]:.1%}")
    if window[-1] + 1 < len(distance):
        parts.append(f"after, at step {window[-1] + 1}, {distance[window[-1] + 1, block]:.1%}")
    deeper = distance[window[0]:window[-1] + 1, block + 1:]
    parts.append(f"in these steps deeper blocks move by up to {deeper.max():.1%}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def by_step(similarity: Similarity) -> torch.Tensor:
    """The distance of features, (steps, depth); where a step has several evaluations, the largest."""
    distance = similarity.changes[Kind.FEATURE].distance
    table = torch.full((max(similarity.steps, default=-1) + 1, distance.shape[1]), torch.nan)
    for step, row in zip(similarity.steps, distance):
        table[step] = torch.fmax(table[step], row)
    return table


def longest(calm: list[bool]) -> range:
    """The longest run of true values, the later one of equals."""
    best, start = range(0), 0
    for step, value in enumerate(calm):
        if not value:
            start = step + 1
        elif step + 1 - start >= len(best):
            best = range(start, step + 1)
    return best


def border(percents: tuple[float, ...], step: int) -> float:
    """A percent between the beginning of this step and that of the one before, so that rounding moves no step."""
    if step >= len(percents) - 1:
        return 1.
    return round((percents[step - 1] + percents[step]) / 2, 2)
