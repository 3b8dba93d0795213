"""Auto: as many evaluations as the wanted speed-up leaves, chosen and forecast by what was measured of the model."""

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Callable, Collection

import numpy as np

from ..flow_time import Quantity
from ..plan import Kind, Plan, Reuse, Span, Transformer
from ..schedule import Schedule
from .correction import Correction
from .drift import Rules
from .forecaster import KernelForecaster
from .kernel import Kernel
from .planner import Candidate, count_of, enough, ranked
from .recorder import Recorder

MOST = 4.  # times faster
KEPT = 4  # choices for schedules that were planned before, as the tiles of a picture are sampled by the same
FEWEST_RECORDED = 8  # evaluations: fewer say too little of the times in between
RECORDED = .9, .05  # a recording begins at least as noisy and ends at least as clean as this
NOISY = "this sampler adds noise at every step, which no forecast can know: expect less than with others"


@dataclass(frozen=True)
class AutoPolicy:
    """Settings of Auto.

    speedup: how many times fewer evaluations are computed, 1 to 4.
    measured: gives the kernel of a quantity for a number of steps, or None where the model was not measured yet.
    fallback: the kernel of a quantity that serves any model.
    save: takes what a full run has shown and says what came of it; None where nothing is to be recorded.
    least_quality: lowers the speed-up until the result is expected this close to the full one, in dB; 0 = as asked.
    corrects: changes the plan where the run turns out otherwise (correction.py).
    """
    speedup: float
    measured: Callable[[Quantity, int], Kernel | None]
    fallback: Callable[[Quantity], Kernel]
    save: Callable[[Quantity, Kernel], str] | None = None
    least_quality: float = 0.
    rules: Rules = Rules()
    corrects: bool = True
    _choice: Callable = field(default_factory=lambda: lru_cache(KEPT)(_choose), init=False, repr=False, compare=False)

    def __post_init__(self):
        if not 1 <= self.speedup <= MOST:
            raise ValueError(f"speedup is {self.speedup:g}; use 1 (nothing forecast) to {MOST:g}")
        if not 0 <= self.least_quality < 200:
            raise ValueError(f"least_quality is {self.least_quality:g} dB; use 0 (as fast as asked) to 100")

    @property
    def name(self) -> str:
        return f"BlockDance Auto {self.speedup:g}x"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        steps = schedule.steps
        full: list[Reuse | None] = [None] * steps
        if self.speedup == 1:
            return Plan.from_reuses(full, "the speed-up is 1, so everything is computed")
        if steps < 2 or not schedule.falls:
            return Plan.from_reuses(full, "nothing to forecast: the noise of these steps does not fall")
        quantity = quantity_of(schedule)
        kernel, note = self.measured(quantity, steps), ""
        if kernel is None:
            if self.save is not None and _shows_all(schedule):
                return Plan(Plan.from_reuses(full).decisions, "this model was not measured yet: this run computes "
                            "everything and records, the next will be faster", listener=Recorder(
                                schedule.flow_time, quantity, self.save))
            kernel, note = self.fallback(quantity), "not measured on this model; run a full picture once for better"
        noisy = "" if schedule.sampler.steady else NOISY
        reuse = Reuse(Span(0, transformer.depth - 1), Kind.OUTPUT if schedule.sampler.whole else Kind.DELTA)
        forecaster, chosen, reason = self._choice(KernelForecaster(kernel, quantity, self.rules), schedule.times,
                                                  self.speedup, self.least_quality)

        def plan_of(computed: Collection[int], forecaster: KernelForecaster, news: str = "") -> Plan:
            reuses = [None if step in computed else reuse for step in range(steps)]
            return Plan.from_reuses(reuses, "; ".join(filter(None, (reason, note, noisy, news))), forecaster)
        plan = plan_of(chosen, forecaster)
        if not (self.corrects and schedule.sampler.counted):
            return plan
        return replace(plan, adviser=Correction(schedule, forecaster, chosen, plan_of))


@dataclass(frozen=True)
class RecordPolicy:
    """Compute everything and record. save: as of AutoPolicy."""
    save: Callable[[Quantity, Kernel], str]
    name: str = "BlockDance Calibrate"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        if not schedule.sampler.counted:
            raise ValueError("this sampler evaluates the model several times a step, which makes no profile: measure "
                             "with another, such as euler or dpmpp_2m; the profile serves this one, too")
        if not _shows_all(schedule):
            raise ValueError(f"{schedule.steps} steps from {schedule.times[0]:.0%} to {schedule.times[-1]:.0%} noise "
                             f"say too little of a model: use {FEWEST_RECORDED} or more that begin in noise and end in "
                             "a picture")
        return Plan(Plan.from_reuses([None] * schedule.steps).decisions,
                    listener=Recorder(schedule.flow_time, quantity_of(schedule), self.save))


def _choose(forecaster: KernelForecaster, times: tuple[float, ...], speedup: float, least_quality: float
            ) -> tuple[KernelForecaster, tuple[int, ...], str]:
    """The forecaster with the rules that suit, the evaluations to compute, and what the user should know of it."""
    steps = len(times) - 1
    wanted = count_of(steps, speedup)
    known = forecaster.gram(times[:-1]), np.array(times), forecaster.rules, forecaster.quantity
    rules, (asked, *_) = ranked(*known, wanted)
    chosen = asked
    if asked.quality < least_quality and wanted < steps:
        rules, (chosen, *_) = ranked(*known, enough(*known, wanted + 1, least_quality))
    count = len(chosen.computed)
    proven = forecaster.kernel.proven_at(times[:-1], count)
    words = f"{steps / count:.2f}x, {_decibels(chosen)} expected" + (", the best plan in runs" if proven else "")
    if count > wanted:
        words = (f"nothing to gain here: {words}" if count == steps else words) + (
            f": at {steps / wanted:.2f}x it would be {_decibels(asked)}, below the least of {least_quality:g} dB")
    return replace(forecaster, rules=rules), proven or chosen.computed, words


def quantity_of(schedule: Schedule) -> Quantity:
    return Quantity.VELOCITY if schedule.sampler.steady else Quantity.PICTURE


def _decibels(candidate: Candidate) -> str:
    return f"{candidate.quality:.0f} dB" if math.isfinite(candidate.quality) else "the full result"


def _shows_all(schedule: Schedule) -> bool:
    """Whether a run of this schedule says enough of a model to plan others by it."""
    begin, end = RECORDED
    return (schedule.sampler.counted and schedule.steps >= FEWEST_RECORDED and schedule.times[0] >= begin
            and schedule.times[-1] <= end)
