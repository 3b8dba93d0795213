"""Auto: as many evaluations as the wanted speed-up leaves, chosen and forecast by what was measured of the model."""

import math
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Callable, Collection, Sequence

import numpy as np

from ..engine.controller import PlanController, Setup
from ..plan.plan import Kind, Plan, Reuse, SkipModel, Span, Transformer
from ..plan.schedule import Origin, Quantity, SamplerTraits, Schedule, Stretch
from .constants import FEWEST_MEASURED, LONGEST_SEARCH
from .controller import Replanning, controller_of
from .kernel import Kernel
from .measurement import measurable, measurement_of
from .planner import Candidate, Speed, best, count_of, enough, search, speed
from .profile import general, general_quality
from .sampler_observation import Samplers, setup_for
from .streams import grams_of, seen_by
from .weights import KernelExtrapolation

MOST_SPEEDUP = 4.  # times faster
KEPT = 4  # choices for schedules that were planned before, as the tiles of a picture are sampled by the same
RECORDING = "this model was not measured yet, so this run computes everything and records it"
RECORDING_ANEW = "measuring anew: this run computes everything and records it"
UNMEASURABLE = f"this run cannot measure, which takes {FEWEST_MEASURED} steps of falling noise, evaluated once each"
OFF = "the speed-up is 1, so everything is computed"
NAMED = 6  # steps that a note names one by one
UNMEASURED = "how close it comes is not known yet"
NOISY = "this sampler adds noise at every step, which no forecast can know: expect less than with others"
UNKNOWN = "whether this sampler adds noise is not known"
WATCHED = f"{UNKNOWN}: it is watched in this run"
CAREFUL = f"{UNKNOWN}, so the plan allows for it"


def measured_as(quantity: Quantity, kernel: Kernel | None) -> Callable[[Quantity, Sequence[float]], Kernel | None]:
    """AutoMethod.measured of a model of which no more is known than this."""
    return lambda wanted, times: kernel if wanted is quantity else None


@dataclass(frozen=True)
class AutoMethod:
    """Settings of Auto.

    speedup: how many times fewer evaluations are computed, 1 to 4.
    measured: gives the kernel of a quantity for a run through these times, or None where the model was not measured
    there yet.
    fallback: the kernel of a quantity that serves any model.
    save: takes what a full run has shown and says what came of it; None where nothing is to be recorded.
    least_quality: lowers the speed-up until the result is expected this close to the full one, in dB; 0 = as asked.
    corrects: changes the plan where the run turns out otherwise (controller.Replanning).
    samplers: what runs of the model have shown of samplers that are not known by name; None where nothing is kept.
    expects: whether `measured` gives what was measured of the model that runs, so that its quality can be expected.
    anew: whether every run that can measure the model does, whatever is known of it.
    """
    speedup: float
    measured: Callable[[Quantity, Sequence[float]], Kernel | None]
    fallback: Callable[[Quantity], Kernel] = general
    save: Callable[[Quantity, Kernel], str] | None = None
    least_quality: float = 0.
    corrects: bool = True
    samplers: Samplers | None = None
    expects: bool = True
    anew: bool = False
    _choice: Callable = field(default_factory=lambda: lru_cache(KEPT)(_choose), init=False, repr=False, compare=False)

    def __post_init__(self):
        if not 1 <= self.speedup <= MOST_SPEEDUP:
            raise ValueError(f"speedup is {self.speedup:g}; use 1 (nothing forecast) to {MOST_SPEEDUP:g}")
        if not 0 <= self.least_quality < 200:
            raise ValueError(f"least_quality is {self.least_quality:g} dB; use 0 (as fast as asked) to 100")

    @property
    def name(self) -> str:
        return f"BlockDance Auto {self.speedup:g}x"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return self.setup(schedule, transformer).plan

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        return controller_of(self.setup(schedule, transformer), schedule)

    def setup(self, schedule: Schedule, transformer: Transformer) -> Setup:
        """What a run begins with."""
        return setup_for(schedule, self.samplers, lambda sampler, records: self._planned(
            replace(schedule, sampler=sampler), transformer, records))

    def _planned(self, schedule: Schedule, transformer: Transformer, records: bool) -> Setup:
        steps = schedule.steps
        full = [None] * steps
        if self.speedup == 1 and not self.anew:
            return Setup(Plan.from_reuses(full, OFF))
        stretches = sorted((stretch for stretch in schedule.stretches if len(stretch) > 1), key=len, reverse=True)
        if not stretches:
            return Setup(Plan.from_reuses(
                full, "nothing to forecast: the noise does not fall over two steps or more"))
        quantity = schedule.sampler.quantity
        kernel, note = self.measured(quantity, stretches[0].times), ""
        own = self.expects and kernel is not None
        if records and (kernel is None or self.anew) and self._records(schedule, quantity):
            return Setup(Plan.from_reuses(full, RECORDING_ANEW if self.anew else RECORDING),
                         observer=measurement_of(schedule, self.save, self.samplers))
        if self.speedup == 1:
            return Setup(Plan.from_reuses(full, OFF))
        if kernel is None:
            kernel, note = self.fallback(quantity), self._advice(schedule)
        if self.anew:
            note = UNMEASURABLE
        kernel = seen_by(kernel, schedule.streams)
        reuse = (SkipModel(transformer.depth) if schedule.sampler.whole
                 else Reuse(Span(0, transformer.depth - 1), Kind.DELTA))
        choice = self._choice(KernelExtrapolation.of(kernel, quantity), stretches[0].times, self.speedup,
                              self.least_quality, schedule.way)
        chosen = _over(stretches, choice, self.speedup) | (set(range(steps)) - {step for stretch in stretches
                                                                  for step in stretch.steps})
        made = speed(schedule, chosen)
        fewer = steps - sum(len(stretch) - count_of(len(stretch), self.speedup) for stretch in stretches)
        asked = replace(made, computed=round(made.computed * fewer / len(chosen)))
        words = (choice.words(made, asked, self.least_quality, own), note,
                 _still(schedule, stretches), _of_sampler(schedule.sampler))

        def plan_of(computed: Collection[int], extrapolation: KernelExtrapolation, news: str = "") -> Plan:
            reuses = [None if step in computed else reuse for step in range(steps)]
            plan = Plan.from_reuses(reuses, "; ".join(filter(None, (*words, news))), extrapolation)
            known = own and not news and math.isfinite(choice.expected)
            return replace(plan, expected=choice.expected if known else None)
        plan = plan_of(chosen, choice.extrapolation)
        if not (self.corrects and schedule.sampler.counted):
            return Setup(plan)
        return Setup(plan, Replanning(schedule, stretches, choice.extrapolation, chosen, plan_of))

    def _records(self, schedule: Schedule, quantity: Quantity) -> bool:
        """Whether this run is to measure the model. A sampler that is not known is none to do so where the model was
        measured by another."""
        if self.save is None or not measurable(schedule):
            return False
        times = max(schedule.stretches, key=len).times
        return schedule.sampler.origin is not Origin.GUESS or not any(
            self.measured(other, times) for other in Quantity if other is not quantity)

    def _advice(self, schedule: Schedule) -> str:
        """What would measure the model for runs like this, if anything would."""
        if self.save is None or schedule.sampler.origin is Origin.GUESS:
            return ""
        helps = f"of {FEWEST_MEASURED} steps or more"
        noise = "" if schedule.sampler.steady else " with noise at every step"
        if not schedule.sampler.counted:
            helps = f"with {'euler' if schedule.sampler.steady else 'euler_ancestral'}"
        return f"not measured on this model{noise}: a full run {helps} does that"


@dataclass(frozen=True)
class Choice:
    """What to compute of a stretch. extrapolation: with the rules that suit. computed: places in the stretch.

    expected: how close the result is expected to be, in dB; asked: with as many evaluations as were asked for,
    `wanted` of `steps`. proven: whether it came closest in runs.
    """
    extrapolation: KernelExtrapolation
    computed: tuple[int, ...]
    expected: float
    asked: float
    steps: int
    wanted: int
    proven: bool

    def words(self, speed: Speed, asked: Speed, least_quality: float, own: bool) -> str:
        """What the user should know of it, in a run of this speed; asked: the one that it was to have.

        own: whether the model itself was measured. What others say of it is what they themselves came to, or less.
        """
        close = f"{_decibels(self.expected)} expected"
        if not own and len(self.computed) < self.steps:
            reached = general_quality(self.extrapolation.quantity, speed.made / speed.computed)
            close = UNMEASURED if reached is None else (
                f"{_decibels(min(self.expected, reached))} expected, by what other models reach")
        said = f"{speed}, {close}" + (", as its runs have shown" if self.proven else "")
        if len(self.computed) <= self.wanted:
            return said
        return (f"nothing to gain here: {said}" if speed.computed == speed.made else said) + (
            f": at {asked} it would be {_decibels(self.asked)}, below the least of {least_quality:g} dB"
            if own else f": {asked} would be too much for the models of the profile 'general'")


def _choose(extrapolation: KernelExtrapolation, times: tuple[float, ...], speedup: float, least_quality: float,
            way: str) -> Choice:
    """way: of sampling, that of the run."""
    steps, proven = len(times) - 1, extrapolation.kernel.proven_at(times[:-1])
    alike = {count: plan for count, plan in sorted(proven.items()) if plan.way == way != ""}
    known = grams_of(extrapolation, times[:-1]), np.array(times), extrapolation.rules, extrapolation.quantity

    @cache
    def found(count: int) -> Candidate:
        """The best choice of so many, by runs where these have shown it."""
        return search(*known, only=proven[count].computed)[0] if count in proven else best(*known, count)[0]
    more = {count: plan.quality - found(count).quality for count, plan in alike.items() if plan.quality is not None}

    def quality(some: Candidate) -> float:
        """What is to be expected: by as much more or less than the account of errors says as runs of this way have
        shown, on a line between their speed-ups."""
        return some.quality + float(np.interp(len(some.computed), [*more], [*more.values()])) if more else some.quality
    wanted = count_of(steps, speedup)
    asked = chosen = found(wanted)
    if quality(asked) < least_quality and wanted < steps:
        counts = enough(*known, asked, least_quality - quality(asked) + asked.quality)
        for count in (*counts, *range(counts[-1] + 1, steps, math.ceil(steps / LONGEST_SEARCH)), steps):
            chosen = found(count)
            if quality(chosen) >= least_quality:
                break
    count = len(chosen.computed)
    extrapolation = replace(extrapolation, plan=alike.get(count))
    return Choice(extrapolation, chosen.computed, quality(chosen), quality(asked), steps, wanted, count in proven)


def _over(stretches: Sequence[Stretch], choice: Choice, speedup: float) -> set[int]:
    """The steps to compute of the stretches, the first of which was chosen for, and the others at the same speed."""
    first, *others = stretches
    chosen = {first.steps[place] for place in choice.computed}
    extrapolation = choice.extrapolation
    if len(choice.computed) > choice.wanted:
        speedup = len(first) / len(choice.computed)
    for stretch in others:
        count = count_of(len(stretch), speedup)
        found, = best(grams_of(extrapolation, stretch.times[:-1]), np.array(stretch.times), extrapolation.rules,
                      extrapolation.quantity, count)
        chosen |= {stretch.steps[place] for place in found.computed}
    return chosen


def _still(schedule: Schedule, stretches: Sequence[Stretch]) -> str:
    """Which steps are computed as they are in no stretch."""
    still = sorted(set(range(schedule.steps)) - {step for stretch in stretches for step in stretch.steps})
    if not still:
        return ""
    *others, last = map(str, still)
    named = f"steps {', '.join(others)} and {last} are" if others else f"step {last} is"
    if len(still) > NAMED:
        named = f"{len(still)} steps are"
    return f"{named} computed, as the noise does not go on falling there"


def _of_sampler(sampler: SamplerTraits) -> str:
    """What the user should know of a sampler, unless it is known to add no noise."""
    if sampler.steady:
        return WATCHED if sampler.origin is Origin.GUESS else ""
    seen = sampler.origin is Origin.NAME or (sampler.origin is Origin.RUN and sampler.whole)
    return NOISY if seen else CAREFUL


def _decibels(quality: float) -> str:
    return f"{quality:.0f} dB" if math.isfinite(quality) else "the full result"
