"""Which steps BlockDance-N reuses: the paper's published runs, and what holds for every setting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.plan.plan import COMPUTE, Kind, Plan, Reuse, Span, Transformer
from blockdance.blockdance_core.plan.schedule import Schedule

PIXART = Transformer("PixArtMS", (28,))


def uniform(steps: int, first: int = 0) -> Schedule:
    """A schedule whose sigma is one minus the fraction of sampling, from step `first` on."""
    def percent_to_sigma(percent: float) -> float:
        return 1e9 if percent <= 0 else 1. - percent
    return Schedule(tuple(1 - step / steps for step in range(first, steps + 1)), percent_to_sigma)


# BlockDance, Tables 1-3; the steps follow from the published MACs: full - 22 blocks * r / (28 * T)
@pytest.mark.parametrize("steps, start, end, N, reused", [
    (30, .40, 1., 2, tuple(range(12, 30, 2))),
    (30, .40, 1., 3, (12, 13, 15, 16, 18, 19, 21, 22, 24, 25, 27, 28)),
    (30, .40, 1., 4, (12, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25, 26, 28, 29)),
    # DiT-XL/2 and Open-Sora: 5 % to 95 % of the steps, of which the first is the anchor
    (50, .08, .95, 2, 22), (50, .08, .95, 3, 30), (100, .06, .95, 2, 45), (100, .06, .95, 3, 60),
])
def test_published_reuse(steps, start, end, N, reused):
    plan = BlockDanceMethod(N, 21, start, end).plan(uniform(steps), PIXART)
    assert (plan.reused_steps if isinstance(reused, tuple) else len(plan.reused_steps)) == reused
    assert plan.computed_blocks(28) == 28 * steps - 22 * len(plan.reused_steps)


@pytest.mark.parametrize("stacks, deepest", [((28,), 20), ((24,), 17), ((38,), 27), ((19, 38), 41), ((1,), 0)])
def test_the_automatic_block_is_at_three_quarters(stacks, deepest):
    assert BlockDanceMethod().reuse(Transformer("any", stacks)) == Reuse(Span(0, deepest), Kind.FEATURE)


@given(N=st.integers(1, 10), steps=st.integers(1, 60), first=st.integers(0, 59),
       start=st.floats(0, 1), end=st.floats(0, 1), depth=st.integers(1, 60))
def test_every_plan_can_be_executed(N, steps, first, start, end, depth):
    schedule = uniform(steps, min(first, steps - 1))
    plan = BlockDanceMethod(N, -1, start, end).plan(schedule, Transformer("any", (depth,)))
    assert plan.steps == schedule.steps
    stored, since = set(), 0
    for step, decision in enumerate(plan.decisions):
        if decision.reuse is None:
            stored, since = set(decision.store), 0
        else:
            since += 1
            assert decision.reuse in stored, "reuses what the last computed step did not store"
            assert since < N and step in schedule.window(start, end)
    assert bool(plan.note) == (not plan.reused_steps), "a plan without reuse says why, one with reuse has no excuse"


@given(st.lists(st.sampled_from([None, Reuse(Span(0, 3), Kind.DELTA), Reuse(Span(2, 5), Kind.FEATURE)])))
def test_a_computed_step_stores_what_its_followers_reuse(reuses):
    plan = Plan.from_reuses([None, *reuses])
    assert [decision.reuse for decision in plan.decisions] == [None, *reuses]
    for step, decision in enumerate(plan.decisions):
        following = []
        for later in plan.decisions[step + 1:]:
            if later.reuse is None:
                break
            following.append(later.reuse)
        assert set(decision.store) == (set(following) if decision.reuse is None else set())


def test_a_plan_cannot_begin_with_reuse():
    with pytest.raises(ValueError, match="first step"):
        Plan.from_reuses([Reuse(Span(0, 1), Kind.DELTA)])
    assert Plan.from_reuses([None]).decisions == (COMPUTE,)


@pytest.mark.parametrize("settings, message", [
    ({"N": 0}, "N is 0"), ({"N": 11}, "N is 11"), ({"block_index": -2}, "block_index is -2"),
    ({"start": -.1}, "start is -0.1"), ({"end": 1.5}, "end is 1.5"),
])
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BlockDanceMethod(**settings)


@pytest.mark.parametrize("method, schedule, note", [
    (BlockDanceMethod(N=1), uniform(30), "off"),
    (BlockDanceMethod(start=.6, end=.6), uniform(30), "not before"),
    (BlockDanceMethod(), uniform(4), "too few"),
    (BlockDanceMethod(start=.0, end=.05), uniform(10, 1), "no step"),
    (BlockDanceMethod(start=.99, end=1.), uniform(30), "no step"),
])
def test_a_plan_without_reuse_says_why(method, schedule, note):
    plan = method.plan(schedule, PIXART)
    assert set(plan.decisions) == {COMPUTE} and note in plan.note
