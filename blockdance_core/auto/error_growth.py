"""How errors of the latent grow in a model, measured: runs that leave out one evaluation each.

What such a run gets in place of output n is the one before it, so the kernel tells how far the latent is then off,

    |e| = |moved * (v(n - 1) - v(n))|,

and the run tells how far off its result is. The two differ by a factor of c e^(g t), t being the time of the evaluation
that follows (planner.weight). g, the growth, is the slope of its logarithm; c is left free, as a kernel has no units.
"""

from dataclasses import dataclass
from typing import Callable, Sequence

import numpy as np
import torch

from ..methods.method import Method
from ..plan.plan import Plan, SkipModel, Transformer
from ..plan.schedule import Quantity, Schedule
from .constants import LEAST_GROWTH, MOST_GROWTH
from .kernel import Kernel
from .latent_error import moved_by

LEFT_OUT = .9, .7, .2  # times, about


@dataclass(frozen=True)
class Repetition:
    """The extrapolation that repeats the newest output, as this quantity."""
    quantity: Quantity
    anchors: int = 1

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        return 1., *[0.] * (len(anchors) - 1)


@dataclass(frozen=True)
class OneLeftOutMethod:
    """Compute all evaluations but the one next to a time, which repeats the one before it."""
    time: float
    quantity: Quantity = Quantity.VELOCITY
    name: str = "BlockDance Calibrate"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        stretch = max(schedule.stretches, key=len, default=())
        if len(stretch) < 2:
            raise ValueError("there is no evaluation to leave out: the noise does not fall over two steps or more")
        left_out = stretch.steps[_next_to(self.time, stretch.times[:-1])]
        reuses = [SkipModel(transformer.depth) if step == left_out else None for step in range(schedule.steps)]
        return Plan.from_reuses(reuses, extrapolation=Repetition(self.quantity))


def _next_to(time: float, times: Sequence[float]) -> int:
    """Which evaluation of these times, but the first."""
    return 1 + int(np.abs(np.asarray(times[1:]) - time).argmin())


def growth_of(kernel: Kernel, quantity: Quantity, errors_of: Callable[[Method], Sequence[torch.Tensor]]) -> float:
    """The growth of errors of the model of a kernel, LEAST_GROWTH to MOST_GROWTH.

    errors_of: the latents' errors of some runs by a method, at the times of the kernel. Raises ValueError where they
    say nothing.
    """
    times, found = np.append(kernel.times, 0.), []
    for time in LEFT_OUT:
        place = _next_to(time, kernel.times)
        start, end = times[place:place + 2]
        wrong = np.zeros(len(kernel.times))
        wrong[[place - 1, place]] = 1, -1
        before = moved_by(quantity, start, end) ** 2 * (wrong @ kernel.gram @ wrong)
        errors = errors_of(OneLeftOutMethod(time, quantity))
        after = np.mean([float(error.double().square().mean()) for error in errors])
        if before > 0 and 0 < after < np.inf:
            found.append((end, np.log(after / before) / 2))
    if len(found) < 2:
        raise ValueError("runs that leave out one evaluation do not differ from full ones")
    slope = np.polyfit(*zip(*found), 1)[0]
    return float(np.clip(slope, LEAST_GROWTH, MOST_GROWTH))
