"""MeanCache: an output that is not computed is the latest one, moved on by how the average velocity of the last steps
differs from the velocity at their beginning; a shortest path says where to compute.

MeanCache: From Instantaneous to Average Velocity, arXiv 2601.19961 (ICLR 2026). Section 3.1: the average velocity over
[t, s] is v + (s - t) JVP, where JVP = (average velocity over [r, t] - v at r) / (t - r) is that of the span from r,
`span` steps back; a span of one step has none. As in the authors' code, outputs that were not computed count as
velocities of later spans. Section 3.2: an edge from one computed evaluation to the next costs the mean absolute error
of that average over the edge, with the best of some spans, in full runs; of all paths with so many edges the one with
the least sum of costs to the power of gamma is taken, which keeps its peaks low.

It is made for samplers without noise of their own. With others it learns from runs by Euler, and its weights, which add
up to one, are those of pictures.
"""

from typing import Sequence

import numpy as np

from .static import Recipe, Row
from .trajectory import Trajectory

SPANS = 1, 2, 3, 4, 5
GAMMA = 4.


def meancache(trajectories: Sequence[Trajectory], count: int, gamma: float = GAMMA, spans: Sequence[int] = SPANS,
              closing: bool = False) -> Recipe:
    """The recipe with so many computed evaluations. closing: with the last one among them, whatever it costs."""
    costs = np.mean([edge_costs(trajectory, spans) for trajectory in trajectories], 0)  # (S, T, T + 1)
    steps, edges = costs.shape[1], costs.min(0) ** gamma
    if closing and count > 1:
        computed = *shortest_path(edges[:-1, :-1], count - 1), steps - 1
    else:
        computed = shortest_path(edges, count)
    ends = *computed[1:], steps
    chosen = {begin: spans[int(costs[:, begin, end].argmin())] for begin, end in zip(computed, ends)}
    return average_velocities(trajectories[0].times, chosen)


def edge_costs(trajectory: Trajectory, spans: Sequence[int] = SPANS) -> np.ndarray:
    """By span and both ends of an edge, (S, T, T + 1); infinite where a span begins before the run."""
    times, latents, velocities = trajectory.times, trajectory.latents, trajectory.velocities
    steps = len(velocities)
    costs = np.full((len(spans), steps, steps + 1), np.inf)
    for begin in range(steps):
        for place, span in enumerate(spans):
            back = begin - span
            jvp = 0.
            if span > 1:
                if back < 0:
                    continue
                reach = times[begin] - times[back]
                jvp = ((latents[begin] - latents[back]) / reach - velocities[back]) / reach
            for end in range(begin + 1, steps + 1):
                move = times[end] - times[begin]
                wrong = (latents[end] - latents[begin]) / move - velocities[begin] - move * jvp
                costs[place, begin, end] = wrong.abs().mean()
        costs[:, begin, begin + 1] = 0.  # one step: its velocity is computed
    return costs


def shortest_path(costs: np.ndarray, count: int) -> tuple[int, ...]:
    """Where the edges begin, of all paths of `count` edges from the first evaluation to the end of the run the one
    with the least sum. costs: (T, T + 1) by where an edge begins and ends."""
    steps = len(costs)
    best, origin = np.full((count + 1, steps + 1), np.inf), np.zeros((count + 1, steps + 1), int)
    best[0, 0] = 0.
    for edge in range(1, count + 1):
        for end in range(edge, steps + 1):
            sums = best[edge - 1, :end] + costs[:end, end]
            origin[edge, end] = int(sums.argmin())
            best[edge, end] = sums.min()
    path = [steps]
    for edge in range(count, 0, -1):
        path.append(int(origin[edge, path[-1]]))
    return tuple(reversed(path[1:]))


def average_velocities(times: np.ndarray, spans: dict[int, int]) -> Recipe:
    """The recipe, for computed evaluations with the span of the outputs that follow each. Latents move by the
    velocities, so all is a weighted sum of computed ones. times: (T + 1,)."""
    moves = np.diff(times)
    rows: list[Row] = []
    for number in range(len(moves)):
        if number in spans:
            span = spans[number]
            rows.append({number: 1.})
            continue
        first = max(0, number - span)
        reach = times[number] - times[first]
        row = dict(rows[-1])
        if number - first > 1:
            share = moves[number] / reach  # (s - t) / (t - r)
            for place in range(first, number):
                _add(row, rows[place], share * moves[place] / reach)
            _add(row, rows[first], -share)
        rows.append(row)
    return Recipe(tuple(rows))


def _add(row: dict[int, float], other: Row, factor: float) -> None:
    for number, weight in other.items():
        row[number] = row.get(number, 0.) + factor * float(weight)
