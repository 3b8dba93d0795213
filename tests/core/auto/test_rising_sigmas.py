"""Where the noise of a schedule falls, and what is planned of runs whose sigmas do not fall throughout."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.auto.measurement import MeasureMethod
from blockdance.blockdance_core.auto.outputs import Outputs
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.auto.weights import KernelExtrapolation
from blockdance.blockdance_core.auto.written_plan import WrittenPlanMethod
from blockdance.blockdance_core.engine.controller import Moment
from blockdance.blockdance_core.plan.plan import Plan
from blockdance.blockdance_core.plan.plan_text import read, written
from blockdance.blockdance_core.plan.schedule import Schedule, Stretch, stretches_of
from blockdance.tests.core.auto.imagined_model import PIXART, auto, kernel

FALLING = tuple(1 - step / 20 for step in range(21))
RESTART = (*FALLING[:16], *FALLING[2:])  # back from .25 to .9

# sigmas, and the steps to be planned in each of their stretches
ODD = {
    "a leading 0": ((0., *FALLING), [range(1, 21)]),
    "two zeros at the end": ((*FALLING, 0.), [range(20)]),
    "padded on both sides": ((0., *FALLING[:-1], .0001, 0., 0.), [range(1, 22)]),
    "a repeated value": ((*FALLING[:8], *FALLING[7:]), [[*range(7), *range(8, 21)]]),
    "thrice the same": ((*FALLING[:8], FALLING[7], *FALLING[7:]), [[*range(7), *range(9, 22)]]),
    "a restart": (RESTART, [range(15), range(16, 34)]),
}
EACH = pytest.mark.parametrize("sigmas, planned", ODD.values(), ids=ODD)


def schedule(sigmas: tuple[float, ...]) -> Schedule:
    return replace(Schedule.even(20), sigmas=sigmas)


@EACH
def test_stretches_are_the_steps_whose_sigma_falls(sigmas, planned):
    found = stretches_of(sigmas, lambda sigma: sigma)
    assert [list(stretch.steps) for stretch in found] == [list(steps) for steps in planned]
    for stretch in found:
        assert stretch.times == (*(sigmas[step] for step in stretch.steps), sigmas[stretch.steps[-1] + 1])
        assert (np.diff(stretch.times) < 0).all()


def test_a_rise_by_rounding_begins_no_stretch():
    found, = stretches_of((1., .8, .80000003, .6, 0.), lambda sigma: sigma)
    assert found.steps == (0, 2, 3)


@pytest.mark.parametrize("sigmas", [(), (1.,), (1., 1.), (0., .5, 1.)])
def test_where_nothing_falls_there_is_none(sigmas):
    assert stretches_of(sigmas, lambda sigma: sigma) == ()


def test_no_stretch_rises_or_stands_still():
    for times in ((1., 1., 0.), (1., .5)):
        with pytest.raises(ValueError, match="times"):
            Stretch((0, 1), times)


def reused(plan: Plan) -> set[int]:
    return set(plan.reused_steps)


@EACH
def test_the_falling_stretches_are_planned_and_the_rest_is_computed(sigmas, planned):
    plan = auto(2., kernel()).plan(schedule(sigmas), PIXART)
    for steps in planned:
        assert len(reused(plan) & set(steps)) == len(steps) // 2 and steps[0] not in reused(plan)
    assert len(reused(plan)) == sum(len(steps) // 2 for steps in planned)
    assert f"{plan.steps / (plan.steps - len(reused(plan))):.2f}x" in plan.note


@EACH
def test_it_is_said_which_steps_are_computed_because_their_sigma_does_not_fall(sigmas, planned):
    note = auto(2., kernel()).plan(schedule(sigmas), PIXART).note
    still = [str(step) for step in range(len(sigmas) - 1) if not any(step in steps for steps in planned)]
    assert " and ".join(still) in note and "not go on falling" in note
    assert "falling" not in auto(2., kernel()).plan(Schedule.even(20), PIXART).note


@EACH
def test_padding_changes_nothing_of_the_plan_of_the_rest(sigmas, planned):
    if sigmas == RESTART:
        sigmas, planned = (*FALLING, *FALLING), [range(20), range(21, 41)]  # the same run twice
    expected = auto(2., kernel()).plan(schedule(tuple(sigmas[step] for step in (*planned[0], planned[0][-1] + 1))),
                                         PIXART)
    plan = auto(2., kernel()).plan(schedule(sigmas), PIXART)
    for steps in planned:
        assert [plan.decisions[step].reuse for step in steps] == [found.reuse for found in expected.decisions]


@EACH
def test_outputs_make_up_for_errors_within_a_stretch(sigmas, planned):
    """A run that is forecast gets of each stretch what it would get of it alone."""
    values = torch.randn(len(sigmas) - 1, 16, generator=torch.Generator().manual_seed(1)).double()
    given = auto(2., kernel()).plan(schedule(sigmas), PIXART)

    def run(outputs: Outputs, steps, sigmas) -> list[torch.Tensor]:
        return [outputs.computed(sigmas[step], values[step]) if given.decisions[step].reuse is None
                else outputs.forecast(sigmas[step]) for step in steps]
    together = run(Outputs(given.extrapolation, schedule(sigmas).stretches), range(len(values)), sigmas)
    for steps in planned:
        alone = tuple(sigmas[step] for step in (*steps, steps[-1] + 1))
        expected = run(Outputs(given.extrapolation, schedule(alone).stretches), steps, sigmas)
        assert all(torch.allclose(together[step], found) for step, found in zip(steps, expected))
    still = set(range(len(values))) - {step for steps in planned for step in steps}
    assert all(together[step] is not None and torch.equal(together[step], values[step]) for step in still)


def test_what_was_computed_before_a_rise_takes_no_part_in_forecasts():
    extrapolation = KernelExtrapolation(kernel())
    assert extrapolation.weights((.7, .8, .2, .4), .6) == (*extrapolation.weights((.7, .8), .6), 0., 0.)
    outputs = Outputs(extrapolation)
    for time, value in ((.4, 3.), (.2, 3.), (.9, 1.)):
        outputs.computed(time, torch.full((4,), value))
    assert torch.allclose(outputs.forecast(.8), torch.ones(4))


def test_without_noise_nothing_is_kept():
    """Of an output at sigma 0 no velocity can be told."""
    outputs = Outputs(KernelExtrapolation(kernel()))
    outputs.computed(0., torch.full((4,), float("nan")))
    assert not outputs.fit(torch.zeros(4)) and not outputs.bytes


def test_a_change_of_conditions_is_planned_for_in_every_stretch():
    first = auto(2., kernel()).setup(schedule(RESTART), PIXART)
    moment = Moment(0, RESTART[0], RESTART[0], torch.zeros(1, 4), {}, lambda sigma: sigma < .5)
    changed = first.replanner.replan(moment)
    assert len(reused(changed)) == len(reused(first.plan))
    assert not {11, 15, 25} & reused(changed)  # sigma .45, twice, and before the rise


@EACH
def test_outputs_that_bend_are_planned_for(sigmas, planned):
    setup = auto(2., kernel()).setup(schedule(sigmas), PIXART)
    given, computed = setup.plan, 0
    outputs = Outputs(given.extrapolation, schedule(sigmas).stretches)
    values = torch.randn(2, 400, generator=torch.Generator().manual_seed(1)).double()
    bend = planned[-1][9]
    for step in range(len(sigmas) - 1):
        moment = Moment(step, sigmas[step], sigmas[step], torch.zeros(1, 4), {}, lambda sigma: ())
        advice = setup.replanner.replan(moment, outputs)
        if advice is not None:
            given = advice
            outputs.follow(advice.extrapolation)
        if given.decisions[step].reuse is None:
            outputs.computed(sigmas[step], values[int(step >= bend)] + .01 * sigmas[step])
            computed += 1
        else:
            outputs.forecast(sigmas[step])
    assert "changed their course" in given.note
    assert computed == len(sigmas) - 1 - sum(len(steps) // 2 for steps in planned)


@EACH
def test_such_a_run_is_recorded(sigmas, planned):
    kept = []
    for measuring in (auto(2., save=lambda *found: kept.append(found) or "kept"),
                      MeasureMethod(lambda *found: kept.append(found) or "kept")):
        setup = measuring.setup(schedule(sigmas), PIXART)
        for step, sigma in enumerate(sigmas[:-1]):
            setup.observer.observe(torch.randn(8), torch.randn(8), sigma)
        assert not setup.plan.reused_steps and setup.observer.finish() == "kept"
    longest = max(planned, key=len)
    for _, found in kept:
        assert found.times.tolist() == [sigmas[step] for step in longest]


def test_a_run_of_a_thousand_steps_is_recorded_within_bounds():
    kept = []
    setup = auto(2., save=lambda _, found: kept.append(found) or "kept").setup(Schedule.even(1000), PIXART)
    for sigma in Schedule.even(1000).sigmas[:-1]:
        setup.observer.observe(torch.randn(8), torch.randn(8), sigma)
    assert setup.observer.finish() == "kept"
    times = kept[0].times
    assert 100 <= len(times) <= 300 and times[0] == 1. and times[-1] == pytest.approx(.001)


@EACH
def test_a_plan_that_is_kept_is_the_same_again(sigmas, planned):
    plan = auto(2.).plan(schedule(sigmas), PIXART)
    again = WrittenPlanMethod(read(written(plan)), lambda quantity, _: general(quantity)).plan(schedule(sigmas), PIXART)
    assert again.decisions == plan.decisions


def test_the_first_evaluation_after_a_rise_is_computed_whatever_a_plan_says():
    outputs = Outputs(KernelExtrapolation(kernel()), schedule(RESTART).stretches)
    for step in range(16):
        outputs.computed(RESTART[step], torch.zeros(4))
    assert not outputs.fit(torch.zeros(4))


def test_an_evaluation_at_a_sigma_that_comes_twice_belongs_to_the_later_step_after_the_first():
    twice = schedule((1., .8, .6, .4, .8, .6, .4, 0.))
    step, found = 0, []
    for sigma in twice.sigmas[:-1]:
        step = twice.step_at(sigma, step)
        found.append(step)
    assert found == list(range(7))
