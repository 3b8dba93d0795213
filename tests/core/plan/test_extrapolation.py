"""Forecasts by divided differences, and plans that use them."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.auto.written_plan import WrittenPlanMethod
from blockdance.blockdance_core.engine.cache import Anchor, Cache, Stored
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.method import Extrapolated, with_forecast
from blockdance.blockdance_core.plan.extrapolation import FORECASTS, DividedDifferences
from blockdance.blockdance_core.plan.plan import Kind, Plan, Reuse, Span, Transformer
from blockdance.blockdance_core.plan.plan_text import read, written
from blockdance.blockdance_core.plan.schedule import Schedule

TIMES = st.lists(st.integers(0, 100), min_size=4, max_size=4, unique=True).map(
    lambda found: [time / 100 for time in sorted(found)])
NUMBERS = st.floats(-10, 10)
A, B = Reuse(Span(0, 2), Kind.DELTA), Reuse(Span(3, 5), Kind.DELTA)


@given(st.integers(30, 100), st.integers(1, 10), st.floats(0, .5), NUMBERS, NUMBERS, NUMBERS)
def test_at_even_spacing_half_a_distance_ahead_it_is_newtons(first, spacing, reach, a, b, c):
    """As far as methods with N = 2 go: a line from pure noise on, a parabola away from there."""
    anchors = [(first - number * spacing) / 100 for number in (2, 1, 0)]
    now = anchors[0] - reach * spacing / 100
    for order, value in ((0, lambda t: a), (1, lambda t: a + b * t), (2, lambda t: a + b * t + c * t * t)):
        used = anchors[:order + 1]
        if used[-1] > .85 and order == 2:
            continue
        weights = DividedDifferences(order, damping=1.).weights(used, now)
        truth = value(now) if order else value(used[0])
        assert sum(w * value(t) for w, t in zip(weights, used)) == pytest.approx(truth, abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=4, unique=True).map(sorted), st.floats(0, 1))
def test_weights_are_bounded_at_any_spacing(times, damping):
    now, *anchors = times
    for order, most in ((0, 1.), (1, 3.), (2, 3. + 4 * damping)):
        weights = DividedDifferences(order, damping).weights(anchors, now)
        assert len(weights) == len(anchors)
        assert sum(map(abs, weights)) <= most + 1e-6 and sum(weights) == pytest.approx(1, abs=1e-6)


@given(st.integers(2, 40), st.floats(0, .12))
def test_anchors_close_together_bear_no_more_than_one_distance(times, reach):
    """At .5 of sampling, where time and log-SNR agree: the line is continued by its last change at most."""
    spacing = .1 / times
    weights = DividedDifferences(1).weights([.5, .5 + spacing], .5 - reach)
    assert weights == pytest.approx((1 + min(1, reach / spacing), -min(1, reach / spacing)))


@pytest.mark.parametrize("anchors, now, order", [
    ([.8, .9, 1.], .75, 1), ([.6, .7, .8], .55, 2),  # even
    ([.6952, 1.], .4833, 0),  # exponential begins with a long step out of pure noise
    ([.4819, .6199, 1.], .3711, 1),  # karras
    ([.492, .618], .183, 0),  # linear_quadratic ends in steps that are ever longer
    ([.978, .981, .984], .9, 0)])  # one that goes out of noise slowly and then leaps
def test_orders_that_the_anchors_do_not_bear_are_left_out(anchors, now, order):
    forecast = DividedDifferences(2)
    assert forecast.order_at(anchors, now) == order
    assert forecast.weights(anchors, now) == pytest.approx(
        (*DividedDifferences(order).weights(anchors[:order + 1], now), *[0.] * (len(anchors) - 1 - order)))


@given(TIMES, st.floats(0, 1), st.integers(1, 3))
def test_weights_sum_to_one_and_fewer_anchors_lower_the_order(times, damping, count):
    now, *anchors = times
    weights = DividedDifferences(2, damping).weights(anchors[:count], now)
    assert len(weights) == count and sum(weights) == pytest.approx(1, abs=1e-6 * max(map(abs, weights)))
    assert weights == pytest.approx(DividedDifferences(count - 1, damping).weights(anchors[:count], now))


def test_damping_takes_from_the_second_order_alone():
    anchors, now = [.5, .6, .8], .45
    none, half, all_of_it = (DividedDifferences(2, damping).weights(anchors, now) for damping in (0., .5, 1.))
    assert none == pytest.approx((*DividedDifferences(1).weights(anchors[:2], now), 0.))
    assert half == pytest.approx([(n + a) / 2 for n, a in zip(none, all_of_it)])


@pytest.mark.parametrize("settings", [{"order": 3}, {"order": -1}, {"order": 1, "damping": 1.5}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match=f"is {list(settings.values())[-1]:g}"):
        DividedDifferences(**settings)


def test_a_plan_stores_what_its_forecasts_read():
    reuses = [None, None, None, A, None, B, None]
    stores = [decision.store for decision in Plan.from_reuses(reuses, extrapolation=DividedDifferences(2)).decisions]
    assert [set(store) for store in stores] == [{A}, {A, B}, {A, B}, set(), {B}, set(), set()]
    assert [decision.store for decision in Plan.from_reuses(reuses).decisions] == [(), (), (A,), (), (B,), (), ()]


def test_a_forecasting_method_keeps_its_steps_and_spans():
    schedule, model = Schedule.even(20), Transformer("PixArt", (28,))
    paper = BlockDanceMethod(N=3)
    plan = with_forecast(paper, "linear").plan(schedule, model)
    assert plan.reused_steps == paper.plan(schedule, model).reused_steps
    assert {decision.reuse for decision in plan.decisions} == {None, Reuse(Span(0, 20), Kind.DELTA)}
    assert plan.extrapolation is FORECASTS["linear"]
    assert with_forecast(paper, "off") is paper


def test_what_bears_no_forecast_is_reused_as_without_one():
    """The first step of an exponential schedule is a third of sampling."""
    sigmas = tuple(.7 ** step for step in range(12))
    schedule, model = replace(Schedule.even(12), sigmas=(*sigmas, 0.)), Transformer("PixArt", (28,))
    paper = BlockDanceMethod(start=.3, end=1.)
    plan = with_forecast(paper, "quadratic").plan(schedule, model)
    first, *_, last = plan.reused_steps
    assert plan.decisions[first] == paper.plan(schedule, model).decisions[first]
    assert plan.decisions[last].reuse.kind is Kind.DELTA
    assert WrittenPlanMethod(read(written(plan)), general).plan(schedule, model).decisions == plan.decisions


@pytest.mark.parametrize("name", ["off", "cubic"])
def test_an_unknown_forecast_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}.*linear, quadratic"):
        Extrapolated(BlockDanceMethod(), name)


def stored(value: float, size: int = 3) -> Stored:
    return Stored({1: (torch.full((size,), value), None, torch.tensor([7]))}, (torch.Size([size]),), {1: ()})


def test_the_weighted_sum_of_what_was_stored():
    parts = [(2., stored(3.)), (-1., stored(5.))]
    image, missing, sizes = Stored.weighted(parts).hidden[1]
    assert torch.equal(image, torch.full((3,), 1.)) and missing is None and torch.equal(sizes, torch.tensor([7]))
    assert torch.equal(parts[0][1].hidden[1][0], torch.full((3,), 3.))  # not written to


def test_the_cache_keeps_the_latest_anchors_of_one_form():
    cache = Cache(anchors=2)
    for time, value in ((.9, 1.), (.8, 2.), (.7, 3.)):
        cache.put("pass", A, Anchor(time, stored(value)))
    assert [anchor.time for anchor in cache.get("pass", A)] == [.7, .8]
    assert cache.bytes == cache.peak_bytes == 2 * (3 * 4 + 8)
    cache.put("pass", A, Anchor(.7, stored(4.)))  # the same moment again
    assert [float(anchor.stored.hidden[1][0][0]) for anchor in cache.get("pass", A)] == [4., 2.]
    cache.put("pass", A, Anchor(.6, stored(5., size=4)))  # another picture size
    assert [anchor.time for anchor in cache.get("pass", A)] == [.6]
    assert cache.get("other", A) == cache.get("pass", B) == ()


def test_the_cache_gives_what_the_present_group_has_stored():
    """And, for forecasts, what as many groups have as it keeps anchors."""
    cache, single = Cache(anchors=2), Cache()
    for group in range(4):
        for held in (cache, single):
            held.begin_group()
            held.put("always", A, Anchor(.9 - .1 * group, stored(1.)))
            if group in (0, 1):
                held.put("sometimes", A, Anchor(.9 - .1 * group, stored(1.)))
        assert len(single.get("always", A)) == 1 and len(single) == 1 + (group < 2)
        assert len(cache.get("always", A)) == min(2, group + 1) and len(cache) == 1 + (group < 3)
        assert len(cache.get("sometimes", A)) == (1, 2, 0, 0)[group]


def test_the_cache_keeps_what_belongs_to_the_latest_passes():
    cache = Cache()
    for key in ("first", "second", "third"):
        for reuse in (A, B):
            cache.put(key, reuse, Anchor(.9, stored(1.)))
    cache.get("first", A)
    cache.limit(2)
    assert [bool(cache.get(key, B)) for key in ("first", "second", "third")] == [True, False, True]
