"""How a plan that skips the model is carried out: computed outputs are kept, the others extrapolated, and where outputs
do not go on as they were going, Auto plans anew.

A prompt, an area or a ControlNet that applies to a part of sampling bends how outputs change from step to step. The
conditions show it before the run, and the rest shows in the outputs themselves: each one that is computed is compared
with its own forecast (outputs.py). Forecasts then hardly rely on what was computed on the other side of the bend, and
the computed evaluations that remain are distributed anew; their number stays what it was.
"""

from dataclasses import replace
from typing import Callable, Collection, Sequence

import numpy as np
import torch

from ..engine.controller import GiveUp, Kept, Moment, PlanController, Setup
from ..plan.extrapolation import DividedDifferences, OfOutputs
from ..plan.plan import Plan, SkipModel
from ..plan.schedule import Schedule, Stretch
from .outputs import Outputs
from .planner import Begun, best
from .streams import StreamOutputs, grams_of, outputs_of
from .weights import KernelExtrapolation

TAKES_MORE = ("this sampler takes more from an evaluation than its output, and only that was to be forecast, so "
              "everything is computed")
OTHER_EVALUATIONS = ("the sampler or another node changes which evaluations there are, so that each forecast stands "
                     "for itself")


def controller_of(setup: Setup, schedule: Schedule) -> PlanController:
    """One that keeps outputs where the plan skips the model, else one that only follows the plan."""
    plan = setup.plan
    if not any(isinstance(decision.reuse, SkipModel) for decision in plan.decisions):
        return PlanController(setup, schedule)
    if not hasattr(plan.extrapolation, "quantity"):
        quantity = (plan.sampler or schedule.sampler).quantity
        plan = replace(plan, extrapolation=OfOutputs(quantity, plan.extrapolation or DividedDifferences(0)))
    return OutputController(replace(setup, plan=plan), schedule)


class OutputController(PlanController):
    """Extrapolates outputs in the quantity of the plan's extrapolation, and lets each computed one make up for the
    errors of those before it, as long as the evaluations are those that were planned."""
    keeps_outputs = True

    def __init__(self, setup: Setup, schedule: Schedule):
        super().__init__(setup, schedule)
        self._flow_time = schedule.flow_time
        sampler = setup.plan.sampler or schedule.sampler
        self._outputs = outputs_of(setup.plan.extrapolation, schedule.stretches if sampler.counted else (),
                                   schedule.streams)

    @property
    def bytes(self) -> int:
        return self._outputs.bytes

    @property
    def peak_bytes(self) -> int:
        return self._outputs.peak_bytes

    def check(self, moment: Moment) -> str:
        if not moment.whole:
            raise GiveUp(TAKES_MORE)
        if self._outputs.as_planned and not moment.counted:
            self._outputs.leave_plan()
            return OTHER_EVALUATIONS
        return ""

    def skip(self, moment: Moment) -> torch.Tensor | None:
        if not self._outputs.fit(moment.latent):
            return None
        return self._denoised(moment, self._outputs.forecast(moment.time))

    def computed(self, moment: Moment, denoised: torch.Tensor) -> torch.Tensor:
        quantity = self.plan.extrapolation.quantity
        value = self._flow_time.read(quantity, moment.latent, denoised, moment.sigma)
        given = self._outputs.computed(moment.time, value)
        return denoised if given is value else self._denoised(moment, given)

    def forget(self) -> None:
        super().forget()
        self._outputs.clear()

    @property
    def _kept(self) -> Outputs | StreamOutputs:
        return self._outputs

    def _follow(self, plan: Plan) -> None:
        self._outputs.follow(plan.extrapolation)

    def _denoised(self, moment: Moment, value: torch.Tensor) -> torch.Tensor:
        return self._flow_time.denoised(self.plan.extrapolation.quantity, moment.latent, value, moment.sigma)


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
                           + " and ".join(str(stretch.steps[place]) for stretch, place in changes))
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
        self._notes.append(f"planned anew at step {moment.step}, as the outputs changed their course")
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
