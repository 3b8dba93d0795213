"""GITS: fewer steps on the grid that follows the trajectory best, found by dynamic programming; no cache.

On the Trajectory Regularity of ODE-based Diffusion Sampling, arXiv 2405.11326 (ICML 2024), section 4: on recorded runs
of 60 steps a step from one sigma to any later one costs the distance between where Euler's step ends and where the run
was then; of all grids of so many steps the one with the least sum is taken, where the costs of what comes after a step
count 1.15 times. Nearer to a full run of fewer steps than 60 comes a grid among its own sigmas, without that factor.
"""

from typing import Sequence

import numpy as np

from .trajectory import Trajectory

FINE = 60  # steps of the recorded runs
LATER = 1.15


def gits(trajectories: Sequence[Trajectory], count: int, later: float = LATER) -> tuple[float, ...]:
    """The sigmas of so many steps, one more, from the first to the last of the recorded runs."""
    grid = best_grid(np.mean([step_costs(trajectory) for trajectory in trajectories], 0), count, later)
    sigmas = trajectories[0].schedule.sigmas
    return tuple(sigmas[place] for place in grid)


def step_costs(trajectory: Trajectory) -> np.ndarray:
    """(T + 1, T + 1) by where a step begins and ends; infinite backwards."""
    times, latents = trajectory.times, trajectory.latents
    costs = np.full((len(times), len(times)), np.inf)
    for begin, velocity in enumerate(trajectory.velocities):
        for end in range(begin + 1, len(times)):
            reached = latents[begin] + (times[end] - times[begin]) * velocity
            costs[begin, end] = (reached - latents[end]).norm()
    return costs


def best_grid(costs: np.ndarray, count: int, later: float = LATER) -> tuple[int, ...]:
    """The places of the grid of so many steps from the first place to the last whose cost is the least."""
    last = len(costs) - 1
    if not 1 <= count <= last:
        raise ValueError(f"a grid of {count} steps among {last}: use 1 to {last}")
    best = [costs[:, last]]  # by the place where the rest of the steps begins, for 1, 2, ... of them
    following = []
    for _ in range(count - 1):
        sums = costs + later * best[-1]
        following.append(sums.argmin(1))
        best.append(sums.min(1))
    grid = [0]
    for choice in reversed(following):
        grid.append(int(choice[grid[-1]]))
    return *grid, last
