"""Weights fitted to the results of full runs, by Gauss-Newton without gradients.

The weights of a plan that a kernel gives are the best by an account of how errors add up. Here runs tell: each weight
is nudged by itself, the rest of the run is sampled again, and the result's change is a column of the Jacobian J of
the result's error f. With the mean over runs, each weighed by 1 / |f|^2 so that all count alike in decibels,

    change = -(J^T J + ridge * mean diagonal of J^T J)^-1 J^T f.

The ridge draws towards the kernel's weights. Runs that took no part in the fit choose how strong it is, and whether
anything is changed at all. Nothing is asked of a sampler but that the same seed gives the same run.

All outputs between two computed evaluations share one change, and so does that of the first of the two; they hardly
differ in what they do to the latent. Directions are the differences of neighbouring outputs, so that weights go on to
sum to one.
"""

from dataclasses import dataclass, replace
from typing import Callable, Sequence

import numpy as np

from .calibration import CalibrationRuns, closest
from .constants import ANCHORS
from .latent_error import moved_by
from .proven_plan import ProvenPlan
from .sampler_observation import Places
from .trial import TrialMethod

SAMPLED = 2 ** 16  # numbers kept of each result; with 60 directions they take 16 MiB
NUDGE, LEAST_NUDGE = .02, .002  # of the latent: in parts of the result's error, and in all, of an output's size
RIDGES = 1e-4, .01, 1.
HELD_OUT = 3  # of so many runs one takes no part in the fit


@dataclass(frozen=True)
class Direction:
    """The output of the `older`-th evaluation before the latest is weighed more, and that of the next one less.

    after: the computed evaluation, by its place in the plan, after which that applies; until: the evaluation that is
    computed next, or would come after the last. size: of what a change of one
    does to the latent, in parts of an output's size.
    """
    after: int
    until: int
    older: int
    size: float


def directions(full: CalibrationRuns, plan: ProvenPlan) -> tuple[Direction, ...]:
    """All that the weights of a plan can be changed in."""
    gram, times = full.kernel.gram, np.append(full.kernel.times, full.kernel.end)
    bounds = [*plan.computed, len(times) - 1]
    found = []
    for after in range(1, len(plan.computed)):
        moved = abs(sum(moved_by(full.quantity, times[now], times[now + 1])
                        for now in range(bounds[after], bounds[after + 1])))
        for older in range(1, min(after + 1, ANCHORS)):
            pair = [plan.computed[after - older], plan.computed[after - older + 1]]
            difference = np.array([1, -1]) @ gram[np.ix_(pair, pair)] @ [1, -1]
            found.append(Direction(after, bounds[after + 1], older, float(moved * np.sqrt(max(difference, 1e-12)))))
    return tuple(found)


def changed(plan: ProvenPlan, along: Sequence[Direction], by: Sequence[float]) -> ProvenPlan:
    """With these changes of the latent, in parts of an output's size."""
    width = max((*(direction.older + 1 for direction in along), *map(len, plan.changes)), default=0)
    rows = np.zeros((len(plan.computed), width))
    for row, before in zip(rows, plan.changes):
        row[:len(before)] += before
    for direction, amount in zip(along, by):
        rows[direction.after, direction.older] += amount / direction.size
        rows[direction.after, direction.older - 1] -= amount / direction.size
    return replace(plan, changes=tuple(tuple(row[:place + 1].tolist()) for place, row in enumerate(rows)))


def runs_of(full: CalibrationRuns) -> tuple[range, range]:
    """Those that are fitted, and those that judge. Raises ValueError where there is but one."""
    if full.count < 2:
        raise ValueError("weights are fitted to some runs and judged by others: use 2 runs or more")
    held_out = max(1, full.count // HELD_OUT)
    return range(full.count - held_out), range(full.count - held_out, full.count)


def cost(full: CalibrationRuns, plan: ProvenPlan) -> float:
    """How many full runs of one seed the fit of a plan takes."""
    fitted, judging = runs_of(full)
    count, steps = len(plan.computed), len(full.kernel.times)
    nudged = sum(count - direction.after for direction in directions(full, plan))
    return (len(fitted) * (count + nudged) + len(judging) * count * (1 + len(RIDGES))) / steps


def fitted(full: CalibrationRuns, plan: ProvenPlan, tell: Callable[[float], None] = lambda share: None) -> ProvenPlan:
    """The plan with weights fitted to the results of full runs; as it is where those that judge are no closer. Its
    quality is better by what these gain. tell: hears how much is done, 0 to 1. Raises ValueError as `runs_of` does."""
    fitting, judging = runs_of(full)
    along = directions(full, plan)
    normal, slope = np.zeros((len(along), len(along))), np.zeros(len(along))
    for run in fitting:
        error, jacobian = _linearised(full, plan, along, run, lambda share: tell((run + share) / full.count))
        weight = 1 / (np.square(error).mean() + LEAST_NUDGE ** 2) / len(error)
        normal += weight * jacobian @ jacobian.T
        slope += weight * jacobian @ error
    candidates = [plan]
    for ridge in RIDGES:
        damped = normal + ridge * np.trace(normal) / len(along) * np.eye(len(along))
        candidates.append(changed(plan, along, -np.linalg.solve(damped, slope)))
    qualities = np.array([[full.quality(full.error_of(TrialMethod(full.kernel, some), run)) for run in judging]
                          for some in candidates])
    tell(1.)
    chosen = closest(qualities)
    before = qualities[0].mean() if plan.quality is None else plan.quality
    gain = (qualities[chosen] - qualities[0]).mean()
    return replace(candidates[chosen], way=full.way, quality=float(before + gain))


def _linearised(full: CalibrationRuns, plan: ProvenPlan, along: Sequence[Direction], run: int,
                tell: Callable[[float], None]) -> tuple[np.ndarray, np.ndarray]:
    """The error of a run's result (N,), in parts of an output's size, and how it changes along each direction (P, N).
    """
    recorded, places, size = {}, Places(SAMPLED), full.size ** .5

    def error_of(some: ProvenPlan, until: int = 0) -> np.ndarray:
        error = full.error_of(TrialMethod(full.kernel, some, recorded, until), run)
        return places.of(error).double().cpu().numpy() / size
    error, jacobian = error_of(plan), []
    nudge = NUDGE * float(np.sqrt(np.square(error).mean())) + LEAST_NUDGE
    for direction in along:
        jacobian.append((error_of(changed(plan, [direction], [nudge]), direction.until) - error) / nudge)
        tell(len(jacobian) / len(along))
    return error, np.stack(jacobian)
