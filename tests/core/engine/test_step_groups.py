"""Evaluations carry out the plan of the steps, and never reuse from too far."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockdance.blockdance_core.engine.step_groups import StepGroups
from blockdance.blockdance_core.plan.plan import COMPUTE, Kind, Plan, Reuse, Span

SHALLOW, DEEP = Reuse(Span(0, 3), Kind.FEATURE), Reuse(Span(4, 7), Kind.DELTA)
PLANS = st.lists(st.sampled_from([None, None, SHALLOW, DEEP]), max_size=24).map(
    lambda reuses: Plan.from_reuses([None, *reuses]))


def carried_out(plan: Plan, steps) -> str:
    """One letter per evaluation: r for a reusing one, c for one that stores, - for one that only computes."""
    groups = StepGroups(plan)
    return "".join("r" if (decision := groups.decide(step)).reuse else "c" if decision.store else "-" for step in steps)


def every(N: int, steps: int, before: int = 0) -> Plan:
    """The first of every N steps is computed, after some that only are."""
    return Plan.from_reuses([None] * before + [SHALLOW if step % N else None for step in range(steps)])


@given(PLANS)
def test_with_one_evaluation_a_step_it_is_the_plan(plan):
    groups = StepGroups(plan)
    decisions = [groups.decide(step) for step in range(plan.steps)]
    assert [decision.reuse for decision in decisions] == [decision.reuse for decision in plan.decisions]
    assert [set(decision.store) for decision in decisions if decision.reuse is None] == [
        set(decision.store) for decision in plan.decisions if decision.reuse is None]


@given(PLANS, st.sets(st.integers(0, 24)), st.booleans())
def test_nothing_from_before_a_rise_of_the_noise_is_reused(plan, begins, twice):
    """Whatever the plan says; and what follows has something to reuse."""
    groups, kept = StepGroups(plan, begins), set()
    for step in range(plan.steps):
        for evaluation in range(1 + twice):
            if step in begins and not evaluation:
                kept = set()
            decision = groups.decide(step)
            assert decision.reuse is None or decision.reuse in kept
            kept |= set(decision.store if decision.reuse is None else ())


@given(PLANS, st.data())
def test_nothing_is_reused_from_too_far(plan, data):
    groups, evaluations, anchor = StepGroups(plan), 0, None
    longest = max(map(len, re.findall("r*", carried_out(plan, range(plan.steps)))))
    for step in data.draw(st.lists(st.integers(0, plan.steps - 1), max_size=60)):
        decision = groups.decide(step)
        if decision.reuse is None:
            evaluations, anchor, stored = 0, step, decision.store
        else:
            evaluations += 1
            assert evaluations <= longest and abs(step - anchor) <= longest
            assert stored, "reused after an evaluation that stored nothing"
            assert set(decision.store) <= {SHALLOW, DEEP}


@pytest.mark.parametrize("N, steps, expected", [
    (2, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], "crccrcrcrcr"),
    (2, [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 5], "crcrcrcrcrcrcrc"),
    (2, [0, 0, 1, 1, 2, 2, 3, 3], "ccrccrcr"),
    (3, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], "cccrrcrrccrr"),
    (2, [0] + [1] * 6, "crcrcrc"),
    (4, [0, 3, 2, 0, 6, 0], "crrccc"),
], ids=["heun", "heunpp2", "dpm_2", "seeds_3", "adaptive", "jumps"])
def test_evaluations_are_counted(N, steps, expected):
    assert carried_out(every(N, 8), steps) == expected


def test_a_step_outside_of_every_group_computes_and_ends_them():
    plan = every(3, 6, before=2)
    assert StepGroups(plan).decide(0) == COMPUTE
    assert carried_out(plan, [0, 1, 2, 3, 1, 3, 4]) == "--cr-cr"


def test_what_a_pass_without_anything_stored_stores():
    """Nothing, where no other evaluation can reuse it."""
    groups = StepGroups(every(3, 3))
    assert [groups.decide(step).store for step in range(3)] == [(SHALLOW,), (SHALLOW,), ()]
