"""Fewer steps of DPM-Solver++(2M) on the grid that suits it best: GITS (gits.py) with the solver's own steps; no cache.

A grid that is the best for Euler is none for a solver of the second order, whose step depends on the one before it. So
a step costs the distance between where that solver gets to on a recorded run, from two points of it, and where the run
was; the state of the dynamic programme is a pair of places, as in dpcache.py. DPM-Solver++, arXiv 2211.01095, algorithm
2; the first step and the last, to the picture, are of the first order.
"""

from typing import Sequence

import numpy as np

from .gits import LATER
from .trajectory import Trajectory


def multistep_grid(trajectories: Sequence[Trajectory], count: int) -> tuple[float, ...]:
    """The sigmas of so many steps, one more, from the first to the last of the recorded runs."""
    grid = best_grid(np.mean([step_costs(trajectory) for trajectory in trajectories], 0), count)
    sigmas = trajectories[0].schedule.sigmas
    return tuple(sigmas[place] for place in grid)


def step_costs(trajectory: Trajectory) -> np.ndarray:
    """(T + 1, T + 1, T + 1) by the places where the step before began and where this one begins and ends; infinite
    backwards. Where the first place is the second, there was none before."""
    times, latents = trajectory.times, trajectory.latents
    pictures = latents[:-1] - latents.new_tensor(times[:-1])[:, None] * trajectory.velocities  # (T, N)
    with np.errstate(divide="ignore"):
        clarity = -np.log(trajectory.schedule.sigmas)  # infinite at the end
    last = len(pictures)
    costs = np.full((last + 1,) * 3, np.inf)
    for begin in range(last):
        for end in range(begin + 1, last + 1):
            kept = times[end] / times[begin]
            straight = kept * latents[begin] + (1 - kept) * pictures[begin] - latents[end]  # (N,)
            costs[begin, begin, end] = straight.norm()
            if end == last:
                costs[:begin, begin, end] = costs[begin, begin, end]
                continue
            befores = np.arange(begin)
            ratio = (clarity[begin] - clarity[befores]) / (clarity[end] - clarity[begin])
            bends = straight.new_tensor((1 - kept) / (2 * ratio))[:, None] * (pictures[begin] - pictures[:begin])
            costs[:begin, begin, end] = (straight + bends).norm(dim=1)
    return costs


def best_grid(costs: np.ndarray, count: int, later: float = LATER) -> tuple[int, ...]:
    """The places of the grid of so many steps from the first place to the last whose cost is the least."""
    last = len(costs) - 1
    if not 1 <= count <= last:
        raise ValueError(f"a grid of {count} steps among {last}: use 1 to {last}")
    best, following = costs[:, :, last], []  # by the last two places, for 1, 2, ... steps that are left
    for _ in range(count - 1):
        sums = costs + later * best[None]
        following.append(sums.argmin(2))
        best = sums.min(2)
    grid = [0, 0]
    for choice in reversed(following):
        grid.append(int(choice[grid[-2], grid[-1]]))
    return *grid[1:], last
