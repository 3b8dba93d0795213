"""DPCache: where to compute is a path whose every edge costs what skipping it costs after the edge before it.

Denoising as Path Planning, arXiv 2602.22654 (CVPR 2026), section 3: full runs give a tensor of costs, by the key step
before the last, the last, and the next: the summed mean absolute errors of the steps between the latter two, as the
second-order Taylor forecast makes them (TaylorSeer's, with differences over the actual distances, from these two key
steps and the step before them). Dynamic programming takes the path with the least sum. The first three steps, which
that forecast needs, and the last are computed. Here the state of the programme is the pair of key steps, so that the
path is the least of all.
"""

import math
from typing import Sequence

import numpy as np
import torch

from .static import Recipe
from .taylorseer import differences
from .trajectory import Trajectory

ORDER, FIRST = 2, 3


def dpcache(trajectories: Sequence[Trajectory], count: int, order: int = ORDER) -> Recipe:
    """The recipe with so many computed evaluations. order: of the forecasts. Raises ValueError for fewer than it
    needs."""
    costs = np.mean([cost_tensor(trajectory.outputs) for trajectory in trajectories], 0)
    steps = len(costs)
    computed = key_steps(costs, count)
    return Recipe.of(steps, computed, {
        number: taylor([other for other in computed if other < number][:-order - 2:-1], number)
        for number in range(steps) if number not in computed})


def taylor(anchors: Sequence[int], number: int) -> dict[int, float]:
    """The weights of these evaluations, newest first, in the Taylor forecast of another."""
    ahead = number - anchors[0]
    row = dict.fromkeys(anchors, 0.)
    for order in range(len(anchors)):
        for anchor, weight in zip(anchors, differences(anchors, order)):
            row[anchor] += ahead ** order / math.factorial(order) * weight
    return row


def cost_tensor(outputs: torch.Tensor) -> np.ndarray:
    """(T, T, T): [i, j, k] of going from j to k where i was the key step before j. outputs: (T, N) of a full run."""
    steps = len(outputs)
    costs = np.full((steps, steps, steps), np.inf)
    for before in range(1, steps):
        for last in range(before + 1, steps):
            rows = [taylor((last, before, before - 1), number) for number in range(last + 1, steps)]
            errors = [0., *(float(sum(weight * outputs[anchor] for anchor, weight in row.items()).sub(wanted)
                                  .abs().mean()) for row, wanted in zip(rows, outputs[last + 1:]))]
            costs[before, last, last + 1:] = np.cumsum(errors)[:steps - last - 1]
    return costs


def key_steps(costs: np.ndarray, count: int) -> tuple[int, ...]:
    """The cheapest path of so many key steps from the first three to the last."""
    steps = len(costs)
    if not FIRST < count <= steps:
        raise ValueError(f"{count} of {steps} evaluations: DPCache needs more than the first {FIRST}")
    best = {(FIRST - 2, FIRST - 1): (0., tuple(range(FIRST)))}  # by the last two key steps: cost, path
    for _ in range(count - FIRST):
        longer: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {}
        for (before, last), (cost, path) in best.items():
            for following in range(last + 1, steps):
                reached = cost + costs[before, last, following], (*path, following)
                longer[last, following] = min(longer.get((last, following), reached), reached)
        best = longer
    return min(found for (_, last), found in best.items() if last == steps - 1)[1]
