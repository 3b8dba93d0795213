"""Steps and windows: borders, nudged sigmas, evaluations between steps, schedules that rise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockdance.blockdance_core.plan.schedule import Schedule


def schedule(*sigmas: float) -> Schedule:
    return Schedule(sigmas, lambda percent: 1e9 if percent <= 0 else 1. - percent)


def test_the_window_has_its_start_and_not_its_end():
    steps = schedule(*(1 - step / 10 for step in range(11)))
    assert steps.window(.4, .8) == (4, 5, 6, 7)
    assert steps.window(0, 1) == tuple(range(10))
    assert steps.window(.5, .5) == ()


@given(st.integers(2, 60), st.floats(-9e-5, 9e-5))
def test_rounding_does_not_move_a_border(steps, nudge):
    exact = schedule(*(1 - step / steps for step in range(steps + 1)))
    nudged = Schedule(tuple(sigma * (1 + nudge) for sigma in exact.sigmas), exact.percent_to_sigma)
    border = (steps // 2) / steps
    assert nudged.window(border, 1) == exact.window(border, 1)


@pytest.mark.parametrize("sigma, step", [(1., 0), (.9999, 0), (.75, 0), (.5, 1), (.49999, 1), (.3, 1), (.2, 2), (2., 0),
                                         (0., 2)])
def test_an_evaluation_belongs_to_the_last_step_at_or_above_it(sigma, step):
    assert schedule(1., .5, .2, 0.).step_at(sigma) == step


def test_a_rising_schedule_takes_the_nearest_step():
    assert [schedule(.1, .4, .9, 1.).step_at(sigma) for sigma in (.1, .5, .8)] == [0, 1, 2]
