"""Auto where the outputs of a run change their course."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.auto.constants import LEAST_GROWTH
from blockdance.blockdance_core.auto.controller import Replanning
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.outputs import Outputs
from blockdance.blockdance_core.auto.planner import Begun, search
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.auto.weights import KernelExtrapolation
from blockdance.blockdance_core.engine.controller import Moment, Setup
from blockdance.blockdance_core.plan.plan import Plan, Transformer
from blockdance.blockdance_core.plan.schedule import Quantity, SamplerTraits, Schedule
from blockdance.tests.core.auto.imagined_model import curve, even, kernel

STEPS = 20
SCHEDULE = Schedule.even(STEPS)
TIMES = np.array(SCHEDULE.times)
MODEL = Transformer("PixArtMS", (28,))


def setup(schedule: Schedule = SCHEDULE, **more) -> Setup:
    known = replace(kernel(STEPS), growth=LEAST_GROWTH)  # what is imagined does not see the latent: no error grows
    return AutoMethod(2., lambda *_: known, general, **more).setup(schedule, MODEL)


def computed(some: Plan) -> list[int]:
    return sorted(set(range(STEPS)) - set(some.reused_steps))


def moment(step: int, active=lambda sigma: ()) -> Moment:
    return Moment(step, TIMES[step], TIMES[step], torch.zeros(1, 4), {}, active)


def draw(begun: Setup, values: torch.Tensor) -> tuple[list[int], torch.Tensor]:
    """A run whose computed outputs are these (T, n); the evaluations that it computed, and what the sampler got."""
    given, replanner, got, made = begun.plan, begun.replanner, [], []
    outputs = Outputs(given.extrapolation, SCHEDULE.stretches)
    for step in range(STEPS):
        if replanner is not None and (other := replanner.replan(moment(step), outputs)):
            given = other
            outputs.follow(other.extrapolation)
        if given.decisions[step].reuse is None:
            made.append(step)
            got.append(outputs.computed(TIMES[step], values[step]))
        else:
            got.append(outputs.forecast(TIMES[step]))
    return made, torch.stack(got)


def moved(outputs: torch.Tensor) -> torch.Tensor:
    """Where these outputs (T, n) take the latent in the end."""
    return torch.from_numpy(np.diff(TIMES)) @ outputs


def bent(at: int) -> torch.Tensor:
    """Outputs that are others from an evaluation on."""
    return torch.cat([curve(even(STEPS))[:at], -curve(even(STEPS))[at:].flip(1)])


def test_a_run_that_goes_as_forecast_keeps_its_plan():
    values = curve(even(STEPS))
    made, _ = draw(setup(), values)
    assert made == computed(setup().plan) == draw(setup(corrects=False), values)[0]


@pytest.mark.parametrize("bend", range(4, STEPS - 1))
def test_a_bend_costs_nothing_more(bend):
    made, _ = draw(setup(), bent(bend))
    assert len(made) == len(computed(setup().plan))


def test_bends_that_are_found_are_worth_it():
    """Over all of those above."""
    wrong = []
    for bend in range(4, STEPS - 1):
        values = bent(bend)
        full = moved(values)
        wrong.append([float(torch.norm(moved(draw(setup(corrects=corrects), values)[1]) - full))
                      for corrects in (True, False)])
    corrected, uncorrected = np.square(wrong).mean(0)
    assert corrected < .5 * uncorrected


def test_conditions_that_change_are_planned_for():
    def active(sigma: float) -> tuple[str, ...]:
        return ("late",) if sigma < .475 else ("early",)
    first = setup()
    changed = first.replanner.replan(moment(0, active))
    assert len(computed(changed)) == len(computed(first.plan)) and 11 in computed(changed)  # sigma .45
    assert {0, 1} <= set(computed(changed)) and len([step for step in computed(changed) if 11 <= step <= 14]) >= 3
    assert changed.extrapolation.bends == (pytest.approx(.475),)
    assert "other conditions from step 11" in changed.note and first.plan.note in changed.note
    assert first.replanner.replan(moment(1, active)) is None


def test_only_a_sampler_of_known_evaluations_is_corrected():
    odd = Schedule(SCHEDULE.sigmas, SCHEDULE.percent_to_sigma, sampler=SamplerTraits(counted=False))
    assert setup(odd).replanner is None and isinstance(setup().replanner, Replanning)


def test_beyond_a_bend_anchors_say_less_and_the_numbers_stay_inner_products():
    extrapolation = KernelExtrapolation(kernel(STEPS), bends=(.5, .2))
    gram, plain = extrapolation.gram(TIMES[:-1]), kernel(STEPS).at(TIMES[:-1])
    assert np.allclose(np.diag(gram), np.diag(plain))
    assert gram[0, 12] == pytest.approx(.5 * plain[0, 12]) and gram[0, 19] == pytest.approx(.25 * plain[0, 19])
    assert np.linalg.eigvalsh(gram)[0] > -1e-6 * STEPS
    weights, expected = extrapolation.expect([.45, .55, .6], .4)
    assert weights[0] > .8
    assert expected > KernelExtrapolation(kernel(STEPS)).expect([.45, .55, .6], .4)[1]


def test_the_search_goes_on_with_what_is_begun():
    """And is nearly as good as if all had been chosen at once."""
    gram = kernel(STEPS).at(TIMES[:-1])
    best = search(gram, TIMES)[9].computed
    outputs = Outputs(KernelExtrapolation(kernel(STEPS), Quantity.VELOCITY), SCHEDULE.stretches)
    for step in range(8):
        if step in best:
            outputs.computed(TIMES[step], torch.zeros(1, 4))
        else:
            outputs.forecast(TIMES[step])
    begun = Begun(tuple(step for step in best if step < 8), outputs.error)
    found = {len(candidate.computed): candidate.computed for candidate in search(gram, TIMES, begun=begun)}
    assert found[10][:len(begun.computed)] == begun.computed
    assert len(set(found[10]) & set(best)) >= 8
    assert min(found) == len(begun.computed) and max(found) == len(begun.computed) + STEPS - 8
