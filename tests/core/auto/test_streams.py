"""Plans for a latent of several streams, as picture and sound: the worst of them decides."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.auto.kernel import Kernel, mean
from blockdance.blockdance_core.auto.latent_error import Rules
from blockdance.blockdance_core.auto.measurement import kernel_of
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.planner import Begun, best, search
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.plan.plan import SkipModel
from blockdance.blockdance_core.plan.schedule import Quantity, Schedule
from blockdance.tests.core.auto.imagined_model import PIXART, curve, even

SIZES = 9900, 100  # numbers of the picture and of the sound
TURNS = 7
GROWTH = 1.


def turning(times: np.ndarray, where: float) -> torch.Tensor:
    """A sound that stays the same but for some turns about one time, each to something new: (T, 100)."""
    generator = torch.Generator().manual_seed(1)
    tones = torch.randn(TURNS + 1, SIZES[1], generator=generator, dtype=torch.float64)
    turns = where + torch.linspace(-.12, .12, TURNS)
    return tones[0] + torch.sigmoid((turns - torch.as_tensor(times)[:, None]) / .02).double() @ tones[1:]


def picture_and_sound(steps: int, where: float = .5) -> Kernel:
    times = even(steps)
    picture = curve(times)
    picture = picture.repeat(1, SIZES[0] // picture.shape[1] + 1)[:, :SIZES[0]]
    outputs = torch.cat([picture, turning(times, where)], 1)
    found = kernel_of(list(times), outputs, sizes=SIZES)
    return Kernel(found.times, found.gram, growth=GROWTH, streams=found.streams)


def qualities(kernel: Kernel, steps: int, computed: tuple[int, ...]) -> list[float]:
    """How close each stream is expected to come by a choice, with weights of its own."""
    times = np.append(even(steps), 0.)
    return [search(stream.at(times[:-1]), times, Rules(growth=GROWTH), only=computed)[0].quality
            for stream in kernel.streams]


def planned(kernel: Kernel, steps: int, speedup: float, **more) -> tuple[tuple[int, ...], float]:
    """What Auto computes of a run with these streams, and the quality that it expects."""
    schedule = replace(Schedule.even(steps), streams=SIZES)
    plan = AutoMethod(speedup, lambda *_: kernel, general, **more).plan(schedule, PIXART)
    return tuple(step for step, decision in enumerate(plan.decisions)
                 if not isinstance(decision.reuse, SkipModel)), plan.expected


@pytest.mark.parametrize("speedup", [1.5, 2., 2.5, 3.])
@pytest.mark.parametrize("where", [.25, .5, .75])
def test_the_plan_keeps_what_is_expected_for_a_stream_of_one_percent_of_the_numbers(speedup, where):
    kernel = picture_and_sound(20, where)
    computed, expected = planned(kernel, 20, speedup)
    picture, sound = qualities(kernel, 20, computed)
    assert min(picture, sound) == pytest.approx(expected, abs=.1)


@pytest.mark.parametrize("steps", [20, 100])
def test_the_plan_computes_where_the_worst_stream_moves(steps):
    """More closely than a plan for the mean of both, of short runs and of thinned ones."""
    kernel = picture_and_sound(steps)
    computed, _ = planned(kernel, steps, 2.5)
    together = Kernel(kernel.times, mean(kernel.streams).gram, growth=GROWTH)
    for_mean, _ = planned(together, steps, 2.5)
    assert len(computed) == len(for_mean)
    assert min(qualities(kernel, steps, computed)) > min(qualities(kernel, steps, for_mean)) + .5


def test_the_least_quality_is_that_of_each_stream():
    kernel = picture_and_sound(20)
    asked, expected = planned(kernel, 20, 3.)
    computed, better = planned(kernel, 20, 3., least_quality=expected + 5)
    assert len(computed) > len(asked) and better >= expected + 5
    assert min(qualities(kernel, 20, computed)) >= expected + 4.9


def test_a_run_without_the_sound_is_planned_as_one():
    kernel = picture_and_sound(20)
    plan = AutoMethod(2., lambda *_: kernel, general).plan(Schedule.even(20), PIXART)
    together = AutoMethod(2., lambda *_: Kernel(kernel.times, kernel.gram, growth=GROWTH), general)
    assert plan.decisions == together.plan(Schedule.even(20), PIXART).decisions


@pytest.mark.parametrize("steps", [20, 100])
def test_a_plan_goes_on_with_the_error_of_each_stream(steps):
    kernel, times = picture_and_sound(steps), np.append(even(steps), 0.)
    grams = np.stack([stream.at(times[:-1]) for stream in kernel.streams])
    silent = np.zeros(steps // 2)
    wrong = silent.copy()
    wrong[[-2, -1]] = 1, -1
    begun = tuple(range(0, steps // 2, 3))
    ended = {}
    for name, errors in (("none", (silent, silent)), ("sound", (silent, wrong))):
        found, = best(grams, times, Rules(growth=GROWTH), Quantity.VELOCITY, len(begun) + steps // 5,
                      begun=Begun(begun, np.stack(errors)))
        assert found.computed[:len(begun)] == begun and len(found.computed) == len(begun) + steps // 5
        ended[name] = found.quality
    assert ended["sound"] < ended["none"]
