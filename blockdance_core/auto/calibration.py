"""What calibration measures of a model beyond the Gram matrix: how an error of the latent grows until the end of a run,
which plans come closest to full runs, and how close.
"""

import math
from dataclasses import dataclass, replace
from typing import Callable, Sequence

import numpy as np
import torch

from ..methods.method import Method
from ..plan.extrapolation import OfOutputs
from ..plan.plan import Plan, SkipModel, Transformer
from ..plan.schedule import Quantity, Schedule
from .constants import FINISH, LEAST_GROWTH, MOST_GROWTH
from .kernel import Kernel
from .latent_error import moved_by
from .planner import best, count_of
from .proven_plan import ProvenPlan
from .streams import grams_of
from .trial import TrialMethod
from .weights import KernelExtrapolation

STEADY = "euler"  # of ComfyUI's samplers one that adds no noise
LEFT_OUT = .9, .7, .2  # times, about
SPEEDUPS = 1.5, 2., 2.5, 3., 4.
CHECKED = 1.5, 2., 3.  # what a user is most likely to ask for
FAILED = -1e3  # dB


@dataclass(frozen=True)
class CalibrationRuns:
    """What full runs by one sampler have shown, and runs of the same seeds by other methods.

    error_of: of the latent that a method comes to in the run of this number, (n,), in the model's own units. count: of
    runs. way: of sampling (Schedule). size: the mean square of the outputs, in the same units. notes: what could not be
    measured, for people.
    """
    quantity: Quantity
    kernel: Kernel
    error_of: Callable[[Method, int], torch.Tensor]
    count: int = 1
    way: str = ""
    size: float = 1.
    notes: tuple[str, ...] = ()

    def shown(self, speedup: float) -> float | None:
        """How close this speed-up comes as runs have shown, in dB; None where it was not tried."""
        count = count_of(len(self.kernel.times), speedup)
        return next((plan.quality for plan in self.kernel.proven
                     if len(plan.computed) == count and plan.way == self.way), None)

    def errors_of(self, method: Method) -> list[torch.Tensor]:
        return [self.error_of(method, run) for run in range(self.count)]

    def quality(self, error: torch.Tensor) -> float:
        """Of a run that is off by this, in dB: what is left of an error counts FINISH times at last (planner.weight).
        Of a run that has failed, less than any other has."""
        square = float(error.double().square().mean())
        if not math.isfinite(square):
            return FAILED
        return -10 * math.log10(max(FINISH * square / self.size, 1e-30))


def size_of(latents: Sequence[torch.Tensor]) -> float:
    """The mean square of the outputs of runs that come to these latents, noise minus picture each, whose noise has a
    mean square of 1."""
    return 1 + sum(float(latent.double().square().mean()) for latent in latents) / len(latents)


def runs_for_growth(quantity: Quantity) -> int:
    """How many more runs of each seed it takes to measure the growth, with a sampler of this quantity."""
    return len(LEFT_OUT) + noise_hides_growth(quantity)


def noise_hides_growth(quantity: Quantity) -> bool:
    """Whether the sampler adds noise, so that how errors grow in the model is measured by one that adds none."""
    return quantity is Quantity.PICTURE


def with_growth(full: CalibrationRuns, by: Callable[[str], CalibrationRuns]) -> CalibrationRuns:
    """With how errors grow in the model.

    by: full runs by the sampler of this name. Raises ValueError as `growth_of` does.
    """
    steady = by(STEADY) if noise_hides_growth(full.quantity) else full
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


def tried(full: CalibrationRuns, speedup: float, tries: int = 1) -> CalibrationRuns:
    """With the plan that came closest at this speed-up, and how close. The first few that a search finds are expected
    to be nearly equal, and are not: one takes the place of that which a search would make where it is closer, in dB, by
    more than the standard error of that.
    """
    kernel, quantity = full.kernel, full.quantity
    extrapolation, times = KernelExtrapolation.of(kernel, quantity), np.append(kernel.times, kernel.end)
    choices = best(grams_of(extrapolation, kernel.times), times, extrapolation.rules, quantity,
                   count_of(len(kernel.times), speedup), tries)
    plans = [ProvenPlan(choice.computed) for choice in choices]
    qualities = np.array([list(map(full.quality, full.errors_of(TrialMethod(kernel, plan)))) for plan in plans])
    chosen = closest(qualities)
    return with_plan(full, replace(plans[chosen], way=full.way, quality=float(qualities[chosen].mean())))


def with_plan(full: CalibrationRuns, plan: ProvenPlan) -> CalibrationRuns:
    """With this one in place of what was proven for as many evaluations."""
    others = [other for other in full.kernel.proven if len(other.computed) != len(plan.computed)]
    proven = sorted((*others, plan), key=lambda some: -len(some.computed))
    return replace(full, kernel=replace(full.kernel, proven=tuple(proven)))


def closest(qualities: np.ndarray) -> int:
    """Of the tries (C, R) in dB, the one with the best mean over R runs; the first where the difference is within its
    own standard error."""
    gains = qualities - qualities[0]
    best, runs = int(np.argmax(gains.mean(1))), gains.shape[1]
    chance = gains[best].std(ddof=1) / math.sqrt(runs) if runs > 1 else 0.
    return best if gains[best].mean() > chance else 0


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
        return Plan.from_reuses(reuses, extrapolation=OfOutputs(self.quantity))


def _next_to(time: float, times: Sequence[float]) -> int:
    """Which evaluation of these times, but the first."""
    return 1 + int(np.abs(np.asarray(times[1:]) - time).argmin())
