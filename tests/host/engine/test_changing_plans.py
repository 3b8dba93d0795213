"""Plans that change while a run goes on."""

from dataclasses import dataclass

import torch

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.blockdance_core.engine.controller import Kept, Moment, PlanController, Setup
from blockdance.blockdance_core.plan.plan import COMPUTE, Decision, Kind, Plan, Reuse, Span, Transformer
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.tests.models.tiny import sample


class Replanner:
    """Puts another plan in the place of the first one at a step, or fails there."""

    def __init__(self, step: int, plan: Plan | Exception):
        self.step, self.plan, self.moments = step, plan, []

    def replan(self, moment: Moment, kept: Kept | None = None) -> Plan | None:
        self.moments.append(moment)
        if moment.step != self.step:
            return None
        if isinstance(self.plan, Exception):
            raise self.plan
        return self.plan


@dataclass(frozen=True)
class Replanned:
    """Computes all steps, the third of which stores what the replanner's plan may reuse."""
    replanner: Replanner
    reuse: Reuse
    name: str = "replanned"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        decisions = [Decision(store=(self.reuse,)) if step == 2 else COMPUTE for step in range(schedule.steps)]
        return Plan(tuple(decisions))

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        return PlanController(Setup(self.plan(schedule, transformer), self.replanner), schedule)


@dataclass(frozen=True)
class Fixed:
    fixed: Plan
    name: str = "fixed"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return self.fixed


def test_a_plan_that_changes_in_mid_run(model, tiny):
    """From that step on it is as if the plan had been this one from the start."""
    reports = []
    depth = len(chain_of(model.model.diffusion_model).blocks)
    reuse = Reuse(Span(0, depth - 2), Kind.FEATURE)
    fixed = Plan.from_reuses([None, None, None, reuse, reuse, None, reuse, None])
    expected = sample(attach(model, Fixed(fixed), reports.append), tiny)
    replanner = Replanner(3, fixed)
    picture = sample(attach(model, Replanned(replanner, reuse), reports.append), tiny)
    assert torch.equal(picture, expected)
    assert reports[1].executed == reports[0].executed < reports[0].total and reports[1].plan is fixed
    assert [moment.step for moment in replanner.moments] == list(range(8))
    assert all(moment.latent.shape == picture.shape and set(moment.conditions) == {"positive", "negative"}
               for moment in replanner.moments)


def test_a_replanner_that_fails_leaves_the_plan(model, tiny):
    reports = []
    reuse = Reuse(Span(0, 0), Kind.FEATURE)
    replanner = Replanner(3, ValueError("no idea"))
    picture = sample(attach(model, Replanned(replanner, reuse), reports.append), tiny)
    assert torch.equal(picture, sample(model, tiny)) and len(replanner.moments) == 4
    assert reports[0].failures == ["the plan stays as it was at step 3: no idea"]
