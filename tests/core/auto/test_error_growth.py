"""How errors grow is measured right, on a model whose errors are known to grow so."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.auto.calibration import LEFT_OUT, CalibrationRuns, OneLeftOutMethod, growth_of
from blockdance.blockdance_core.auto.constants import LEAST_GROWTH
from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.plan.plan import SkipModel, Transformer
from blockdance.blockdance_core.plan.schedule import Quantity, Schedule
from blockdance.tests.core.auto.imagined_model import curve, even, kernel_of

STEPS = 400  # so fine that a rate is what it says
TIMES = np.append(even(STEPS), 0.)
PLANNED = Schedule.even(STEPS), Transformer("any", (4,))
DRIVE = curve(even(STEPS)).double() * 3


def run(growth: float, left_out: int | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The result and the outputs of v(x, t) = f(t) - growth * x, along which a difference grows by e^(growth t)."""
    latent, outputs = torch.ones(DRIVE.shape[1], dtype=torch.double), []
    for step, (start, end) in enumerate(zip(TIMES, TIMES[1:])):
        outputs.append(outputs[-1] if step == left_out else DRIVE[step] - growth * latent)
        latent = latent + (end - start) * outputs[-1]
    return latent, outputs


def measured(growth: float) -> tuple[Kernel, torch.Tensor]:
    full, outputs = run(growth)
    return kernel_of(list(even(STEPS)), torch.stack(outputs).float()), full


@pytest.mark.parametrize("growth", [0., .5, 1., 2.5])
def test_the_growth_of_a_model_that_is_known(growth):
    kernel, result = measured(growth)
    asked = []

    def error_of(method, _):
        reuses = method.plan(*PLANNED).decisions
        left_out, = (step for step, decision in enumerate(reuses) if isinstance(decision.reuse, SkipModel))
        asked.append(left_out)
        return run(growth, left_out)[0] - result
    full = CalibrationRuns(Quantity.VELOCITY, kernel, error_of)
    assert growth_of(full) == pytest.approx(max(growth, LEAST_GROWTH), abs=.1)
    assert asked == sorted(set(asked)) and [TIMES[step] for step in asked] == pytest.approx(LEFT_OUT, abs=.01)


def test_runs_that_show_no_difference_are_refused():
    kernel, full = measured(1.)
    with pytest.raises(ValueError):
        growth_of(CalibrationRuns(Quantity.VELOCITY, kernel, lambda *_: torch.zeros_like(full)))


@pytest.mark.parametrize("steps", [2, 8, 30])
@pytest.mark.parametrize("time", [*LEFT_OUT, 1.])
def test_the_first_evaluation_is_never_left_out(steps, time):
    plan = OneLeftOutMethod(time).plan(Schedule.even(steps), Transformer("any", (4,)))
    assert len(plan.reused_steps) == 1 and 0 not in plan.reused_steps


def test_a_run_of_one_step_leaves_out_none():
    with pytest.raises(ValueError, match="leave out"):
        OneLeftOutMethod(.5).plan(Schedule.even(1), Transformer("any", (4,)))


@pytest.mark.parametrize("growth", [-.1, 0., 6., float("nan")])
def test_a_kernel_refuses_a_growth_that_cannot_be(growth):
    kernel, _ = measured(1.)
    with pytest.raises(ValueError):
        replace(kernel, growth=growth)
