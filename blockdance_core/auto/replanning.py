"""What Auto does where the outputs of a run do not go on as they were going.

A prompt, an area or a ControlNet that applies to a part of sampling bends how outputs change from step to step. The
conditions show it before the run, and the rest shows in the outputs themselves: each one that is computed is compared
with its own forecast (outputs.py). Forecasts then hardly rely on what was computed on the other side of the bend, and
the computed evaluations that remain are distributed anew; their number stays what it was.
"""

from dataclasses import replace
from typing import Callable, Collection, Sequence

import numpy as np

from ..engine.controller import Kept, Moment
from ..plan.plan import Plan
from ..plan.schedule import Schedule, Stretch
from .planner import Begun, best
from .streams import grams_of
from .weights import KernelExtrapolation


class Replanning:
    """The Replanner of one run."""

    def __init__(self, schedule: Schedule, stretches: Sequence[Stretch], extrapolation: KernelExtrapolation,
                 computed: Collection[int], plan_of: Callable[[Collection[int], KernelExtrapolation, str], Plan]):
        """stretches: those of the schedule that are planned. computed: the steps of the plan. plan_of: the plan of
        other ones, with their extrapolation and a note."""
        self._schedule = schedule
        self._stretches = tuple(stretches)
        self._extrapolation = extrapolation
        self._computed = tuple(sorted(computed))
        self._plan_of = plan_of
        self._notes: list[str] = []

    def replan(self, moment: Moment, kept: Kept | None = None) -> Plan | None:
        if moment.step == 0:
            return self._before(moment)
        if kept is None or not kept.broke:
            return None
        stretch = next((stretch for stretch in self._stretches if moment.step - 1 in stretch.steps[:-1]), None)
        return stretch and self._at(moment, stretch, kept)

    def _before(self, moment: Moment) -> Plan | None:
        """The plan where the conditions tell of bends."""
        active = [moment.active(sigma) for sigma in self._schedule.sigmas[:-1]]
        changes = [(stretch, place) for stretch in self._stretches for place in range(1, len(stretch))
                   if active[stretch.steps[place]] != active[stretch.steps[place - 1]]]
        if not changes:
            return None
        self._notes.append("planned for other conditions from step "
                           + " and ".join(str(stretch.steps[place] + 1) for stretch, place in changes))
        for stretch, place in changes:
            self._bend(stretch.times[place - 1], stretch.times[place])
        for stretch in self._stretches:
            self._choose(stretch)
        return self._plan()

    def _at(self, moment: Moment, stretch: Stretch, kept: Kept) -> Plan:
        """The plan where the outputs were bent between the latest evaluation and the one computed before it."""
        made = self._made(stretch)
        now = stretch.steps.index(moment.step - 1)
        before = max(place for place in made if place < now)
        self._notes.append(f"planned anew at step {moment.step + 1}, as the outputs changed their course")
        self._bend(stretch.times[before], stretch.times[now])
        self._choose(stretch, Begun(tuple(place for place in made if place <= now), kept.error))
        return self._plan()

    def _made(self, stretch: Stretch) -> tuple[int, ...]:
        """The places in a stretch of what is computed."""
        return tuple(place for place, step in enumerate(stretch.steps) if step in self._computed)

    def _bend(self, before: float, after: float) -> None:
        """The outputs bend between these times. Where the noise falls twice, that may be known from the first time."""
        bends = self._extrapolation.bends
        if not any(after <= bend <= before for bend in bends):
            self._extrapolation = replace(self._extrapolation, bends=(*bends, (before + after) / 2))

    def _choose(self, stretch: Stretch, begun: Begun | None = None) -> None:
        """Distribute anew what a stretch computes."""
        count = len(self._made(stretch))
        found, = best(grams_of(self._extrapolation, stretch.times[:-1]), np.array(stretch.times),
                      self._extrapolation.rules, self._extrapolation.quantity, count, begun=begun)
        others = (step for step in self._computed if step not in stretch.steps)
        self._computed = tuple(sorted((*others, *(stretch.steps[place] for place in found.computed))))

    def _plan(self) -> Plan:
        return self._plan_of(self._computed, self._extrapolation, "; ".join(self._notes))
