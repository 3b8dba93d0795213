"""Delta-Cache and Delta-DiT: spans, groups, stages and budgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod, solve_budget
from blockdance.blockdance_core.methods.presets import PRESETS
from blockdance.blockdance_core.plan.plan import Kind, Reuse, Span, Transformer
from blockdance.blockdance_core.plan.schedule import Schedule

PIXART = Transformer("PixArtMS", (28,))


def uniform(steps: int) -> Schedule:
    return Schedule(tuple(1 - step / steps for step in range(steps + 1)),
                    lambda percent: 1e9 if percent <= 0 else 1. - percent)


def spans(plan) -> list[Span]:
    return [decision.reuse.span for decision in plan.decisions if decision.reuse is not None]


@pytest.mark.parametrize("first_block, span", [(0, Span(0, 20)), (3, Span(3, 23)), (7, Span(7, 27))],
                         ids=["shallow", "middle", "deep"])
def test_the_papers_spans(first_block, span):
    """Shallow, middle and deep are blocks 1-21, 4-24 and 8-28 in the paper, which counts from one."""
    assert DeltaCacheMethod(first_block=first_block).reuse(PIXART) == Reuse(span, Kind.DELTA)


def test_the_first_of_every_n_steps_is_full():
    assert DeltaCacheMethod(2).plan(uniform(8), PIXART).reused_steps == (1, 3, 5, 7)
    assert DeltaCacheMethod(3).plan(uniform(9), PIXART).reused_steps == (1, 2, 4, 5, 7, 8)
    assert DeltaCacheMethod(3, start=.2, end=.8).plan(uniform(10), PIXART).reused_steps == (3, 4, 6, 7)


def test_a_group_cut_short_is_full():
    """Eq. 7 pays for T mod N full steps."""
    assert DeltaCacheMethod(3).plan(uniform(8), PIXART).reused_steps == (1, 2, 4, 5)


@pytest.mark.parametrize("method, message", [
    (DeltaCacheMethod(first_block=10, n_cached=20), "PixArtMS.* 28 blocks.*first_block.* 8 .*n_cached.* 18"),
    (DeltaCacheMethod(first_block=30, n_cached=1), "first_block.* 27 .*n_cached.* 1"),
    (DeltaDiTMethod(n_cached=29), "n_cached is 29.*PixArtMS.* 28.*1 to 28"),
])
def test_spans_that_do_not_fit_are_refused(method, message):
    with pytest.raises(ValueError, match=message):
        method.plan(uniform(20), PIXART)


@pytest.mark.parametrize("method, settings, message", [
    (DeltaCacheMethod, {"N": 0}, "N is 0"), (DeltaCacheMethod, {"first_block": -1}, "first_block is -1"),
    (DeltaCacheMethod, {"n_cached": 0}, "n_cached is 0"), (DeltaCacheMethod, {"start": 2}, "start is 2"),
    (DeltaDiTMethod, {"N": 11}, "N is 11"), (DeltaDiTMethod, {"b": -1}, "b is -1"),
    (DeltaDiTMethod, {"n_cached": -2}, "n_cached is -2"), (DeltaDiTMethod, {"budget": 1.}, "budget is 1"),
    (DeltaDiTMethod, {"budget": .05}, "budget is 0.05.*0.1"), (DeltaDiTMethod, {"budget": -.5}, "budget is -0.5"),
])
def test_bad_settings_are_refused(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method(**settings)


def test_deep_blocks_first_then_shallow_ones():
    """The default boundary is step 12 of 20."""
    plan = DeltaDiTMethod().plan(uniform(20), PIXART)
    assert plan.reused_steps == tuple(range(1, 20, 2))
    assert spans(plan) == 6 * [Span(7, 27)] + 4 * [Span(0, 20)]
    assert "step 12 of 20" in plan.note


def test_a_group_across_the_boundary_stores_both_spans():
    plan = DeltaDiTMethod(N=4, b=.5).plan(uniform(12), PIXART)
    assert [len(decision.store) for decision in plan.decisions] == [1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]


def test_the_papers_budget():
    """1.60x on PixArt-alpha and SD3: N = 2 with three quarters of the blocks."""
    assert solve_budget(.625, 20, 28) == (2, 21)
    assert solve_budget(.625, 28, 24) == (2, 18)
    assert solve_budget(1 / 1.12, 4, 28) == (2, 6)


@given(st.floats(.1, .99), st.integers(1, 60), st.integers(1, 60))
def test_with_a_budget_the_blocks_of_the_node_do_not_count(budget, steps, depth):
    given, plain = (DeltaDiTMethod(n_cached=count, budget=budget).plan(uniform(steps), Transformer("any", (depth,)))
                    for count in (depth + 1, -1))
    assert given == plain


@given(st.floats(.1, .99), st.integers(1, 60), st.integers(1, 60))
def test_a_budget_is_met(budget, steps, depth):
    """To within the rounding of Nc: half a block on each cached step."""
    plan = DeltaDiTMethod(budget=budget).plan(uniform(steps), Transformer("any", (depth,)))
    solution = solve_budget(budget, steps, depth)
    if solution is None:
        assert budget * steps < 1 + 1e-6 or steps == 1
        assert not plan.reused_steps and "nearest possible budget" in plan.note
        return
    N, _ = solution
    assert N >= 1 / budget - 1e-6
    computed = plan.computed_blocks(depth)
    cached = steps // N * (N - 1)
    assert abs(computed - budget * steps * depth) <= cached / 2 + 1e-6


def test_every_preset_makes_a_plan():
    for name, preset in PRESETS.items():
        assert preset.plan(uniform(20 if "4 steps" not in name else 4), PIXART).reused_steps, name
