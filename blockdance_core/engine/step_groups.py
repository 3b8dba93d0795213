"""Which decision an evaluation takes: a plan of steps, carried out by samplers that evaluate more often than that.

A plan forms groups: a computed step and the steps that reuse it. Within the steps of a group it is evaluations that
are counted: where a plan computes one step of every N, one evaluation of every N is computed. A sampler with one
evaluation a step gets the plan itself. One with two gets the same share of reuse from half the distance, and an
adaptive one, which may stay within one step for long, computes every N-th evaluation there.

Whatever a sampler does, no more evaluations than a group has reusing steps follow a computed one, and none that is
more steps away from it: a step into a new group, a jump, or a way back over more steps than that is computed. Where
the noise has risen nothing from before is reused, whatever the plan says.
"""

from dataclasses import dataclass
from typing import Collection

from ..plan.plan import COMPUTE, Decision, Plan, Reuse, SkipModel


@dataclass(frozen=True)
class Group:
    """first: its computed step; reuses: one per step after it; inside: it follows a group, so that its first step, too,
    lies where the method wants reuse."""
    first: int
    reuses: tuple[Reuse | SkipModel, ...]
    inside: bool

    @property
    def wanted(self) -> tuple[Reuse | SkipModel, ...]:
        return tuple(dict.fromkeys(self.reuses))

    def reuse_at(self, step: int) -> Reuse | SkipModel:
        return self.reuses[max(0, step - self.first - 1)]


class StepGroups:
    """The decisions of one run, in the order of its evaluations."""

    def __init__(self, plan: Plan, begins: Collection[int] = ()):
        """begins: the steps at which the noise has risen."""
        self._begins = begins
        self._plan(plan)
        self._furthest = self._anchor = -1  # the latest group that was begun, and the step computed last
        self._remaining = 0  # evaluations that may still reuse it

    def replan(self, plan: Plan, step: int) -> None:
        """Follow another plan from this step on; the group that this step continues counts as begun."""
        self._plan(plan)
        group = self._groups.get(step)
        if group is not None and group.first < step:
            self._furthest = self._anchor = group.first
            self._remaining = len(group.reuses) - (step - group.first - 1)

    def _plan(self, plan: Plan) -> None:
        self._groups = _groups(plan, self._begins)
        self._stores = [decision.store for decision in plan.decisions]

    def decide(self, step: int) -> Decision:
        """The decision of the next evaluation, which belongs to this step.

        What a reusing one is to store is for passes that find nothing stored, and nothing where no other follows it.
        """
        group = self._groups.get(step)
        if group is None:
            self._remaining = 0
            return Decision(store=self._stores[step])
        if self._may_reuse(group, step):
            self._remaining -= 1
            return Decision(group.reuse_at(step), group.wanted if self._remaining else ())
        self._furthest = max(self._furthest, group.first)
        self._anchor, self._remaining = step, len(group.reuses)
        return Decision(store=tuple(dict.fromkeys((*group.wanted, *self._stores[step]))))

    def _may_reuse(self, group: Group, step: int) -> bool:
        return (self._remaining > 0 and group.first <= self._furthest and (group.inside or step > group.first)
                and abs(step - self._anchor) <= len(group.reuses))


def _groups(plan: Plan, begins: Collection[int]) -> dict[int, Group]:
    """The group of each step that is in one."""
    groups: dict[int, Group] = {}
    first, reuses = -1, []
    for step, decision in enumerate((*plan.decisions, COMPUTE)):
        if decision.reuse is not None and step not in begins:
            reuses.append(decision.reuse)
            continue
        if reuses:
            group = Group(first, tuple(reuses), inside=first - 1 in groups and first not in begins)
            groups |= dict.fromkeys(range(first, step), group)
        first, reuses = step, []
    return groups
