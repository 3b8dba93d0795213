"""What calibration measures of a model beyond the Gram matrix: how an error of the latent grows until the end of a run,
and which plans came closest to full runs.
"""

import math
from dataclasses import dataclass, replace
from typing import Callable, Sequence

import numpy as np
import torch

from ..methods.method import Method
from ..plan.plan import Plan, SkipModel, Transformer
from ..plan.schedule import Quantity, Schedule
from .constants import LEAST_GROWTH, MOST_GROWTH
from .kernel import Kernel
from .latent_error import moved_by
from .method import AutoMethod
from .planner import best, count_of
from .profile import general
from .streams import grams_of
from .weights import KernelExtrapolation

STEADY = "euler"  # of ComfyUI's samplers one that adds no noise
LEFT_OUT = .9, .7, .2  # times, about
SPEEDUPS = 1.5, 2., 2.5, 3., 4.
FAILED = 1e3  # dB


@dataclass(frozen=True)
class CalibrationRuns:
    """What full runs by one sampler have shown, and the latents' errors of runs of the same seeds by another method."""
    quantity: Quantity
    kernel: Kernel
    errors_of: Callable[[Method], Sequence[torch.Tensor]]

    @property
    def noise_hides_growth(self) -> bool:
        """Whether the sampler adds noise, so that how errors grow in the model is measured by one that adds none."""
        return self.quantity is Quantity.PICTURE

    @property
    def runs_for_growth(self) -> int:
        """How many more runs of each seed that takes."""
        return len(LEFT_OUT) + self.noise_hides_growth


def with_growth(full: CalibrationRuns, by: Callable[[str], CalibrationRuns]) -> CalibrationRuns:
    """With how errors grow in the model.

    by: full runs by the sampler of this name. Raises ValueError as `growth_of` does.
    """
    steady = by(STEADY) if full.noise_hides_growth else full
    return replace(full, kernel=replace(full.kernel, growth=growth_of(steady)))


def growth_of(full: CalibrationRuns) -> float:
    """The growth of errors of a model, LEAST_GROWTH to MOST_GROWTH, by runs that leave out one evaluation each.

    What such a run gets in place of output n is the one before it, so the kernel tells how far the latent is then off,

        |e| = |moved * (v(n - 1) - v(n))|,

    and the run tells how far off its result is. The two differ by a factor of c e^(g t), t being the time of the
    evaluation that follows (planner.weight). g, the growth, is the slope of its logarithm; c is left free, as a kernel
    has no units. Raises ValueError where the runs say nothing.
    """
    kernel, quantity = full.kernel, full.quantity
    times, found = np.append(kernel.times, 0.), []
    for time in LEFT_OUT:
        place = _next_to(time, kernel.times)
        start, end = times[place:place + 2]
        wrong = np.zeros(len(kernel.times))
        wrong[[place - 1, place]] = 1, -1
        before = moved_by(quantity, start, end) ** 2 * (wrong @ kernel.gram @ wrong)
        errors = full.errors_of(OneLeftOutMethod(time, quantity))
        after = np.mean([float(error.double().square().mean()) for error in errors])
        if before > 0 and 0 < after < np.inf:
            found.append((end, np.log(after / before) / 2))
    if len(found) < 2:
        raise ValueError("runs that leave out one evaluation do not differ from full ones")
    slope = np.polyfit(*zip(*found), 1)[0]
    return float(np.clip(slope, LEAST_GROWTH, MOST_GROWTH))


def refined(full: CalibrationRuns, tries: int) -> CalibrationRuns:
    """With the choice that came closest for each of the speed-ups. The first few that a search finds are expected to be
    nearly equal, and are not: one takes the place of that which a search would make where it is closer, in dB, by more
    than the standard error of that.
    """
    kernel, quantity = full.kernel, full.quantity
    extrapolation, times, proven = KernelExtrapolation.of(kernel, quantity), np.append(kernel.times, 0.), []
    gram, steps = grams_of(extrapolation, kernel.times), len(kernel.times)
    for count in sorted({count_of(steps, speedup) for speedup in SPEEDUPS}, reverse=True):
        choices = best(gram, times, extrapolation.rules, quantity, count, tries)
        errors = [list(map(_decibels, full.errors_of(_trial(kernel, choice.computed)))) for choice in choices]
        proven.append(choices[_closest(np.array(errors))].computed)
    return replace(full, kernel=replace(kernel, proven=tuple(proven)))


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


@dataclass(frozen=True)
class Repetition:
    """The extrapolation that repeats the newest output, as this quantity."""
    quantity: Quantity
    anchors: int = 1

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        return 1., *[0.] * (len(anchors) - 1)


def _next_to(time: float, times: Sequence[float]) -> int:
    """Which evaluation of these times, but the first."""
    return 1 + int(np.abs(np.asarray(times[1:]) - time).argmin())


def _trial(kernel: Kernel, choice: tuple[int, ...]) -> AutoMethod:
    """The method that computes this choice, at the times of the kernel."""
    trial = replace(kernel, proven=(choice,))
    return AutoMethod(len(kernel.times) / len(choice), lambda *_: trial, general, corrects=False)


def _closest(errors: np.ndarray) -> int:
    """The choice (C, R) with the least mean over R runs; the first where the difference is within its own error."""
    gains = errors[0] - errors
    best = int(np.argmax(gains.mean(1)))
    runs = gains.shape[1]
    chance = gains[best].std(ddof=1) / math.sqrt(runs) if runs > 1 else 0.
    return best if gains[best].mean() > chance else 0


def _decibels(error: torch.Tensor) -> float:
    """10 times the logarithm of the mean square; of a run that has failed, more than any other has."""
    square = float(error.double().square().mean())
    return 10 * math.log10(max(square, 1e-30)) if math.isfinite(square) else FAILED
