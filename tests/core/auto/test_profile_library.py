"""Runs that go through a part of the noise: experts, refiners, second passes, image-to-image."""

from dataclasses import replace

import numpy as np
import pytest

from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.measurement import MeasureMethod, kernel_of
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import Profile, general
from blockdance.blockdance_core.auto.profile_library import Library, covers, merged
from blockdance.blockdance_core.engine.controller import Setup
from blockdance.blockdance_core.plan.schedule import Quantity, Schedule
from blockdance.tests.core.auto.imagined_model import FINGERPRINT, PIXART, curve, kernel, run

HIGH, LOW = (1., .83), (.83, 0.)  # the experts of Wan 2.2 in 10 of 20 steps each, at shift 5
WORDS = "computes everything and records"


def part(steps: int, begin: float, end: float) -> Kernel:
    """What a run through this range would measure of the imagined model."""
    times = run(steps, begin, end)[:-1]
    return kernel_of(list(times), curve(np.array(times)), end)


class Workplace:
    """Auto in front of models with these weights and a folder of profiles, as in ComfyUI."""

    def __init__(self, folder):
        self.library = Library((folder,))

    def setup(self, weights: str, times: tuple[float, ...], **more) -> Setup:
        def save(quantity: Quantity, found: Kernel) -> str:
            self.library.add(Profile(FINGERPRINT, quantity, found, 1, {}, {}, weights=weights))
            return "kept"

        def measured(quantity: Quantity, times: tuple[float, ...]) -> Kernel | None:
            found = self.library.find(FINGERPRINT, quantity, times, weights)
            return found and found.kernel
        schedule = replace(Schedule.even(len(times) - 1), sigmas=times)
        return AutoMethod(2., measured, general, save, **more).setup(schedule, PIXART)

    def run(self, weights: str, times: tuple[float, ...], **more) -> bool:
        """Sample; returns whether it was faster than in full."""
        setup = self.setup(weights, times, **more)
        if setup.observer is None:
            return bool(setup.plan.reused_steps)
        for time, output in zip(times, curve(np.array(times[:-1]))):
            setup.observer.observe(output, output * 0, time)
        assert setup.observer.finish() == "kept"
        return False


@pytest.fixture
def workplace(tmp_path) -> Workplace:
    return Workplace(tmp_path)


def test_the_first_workflow_measures_both_experts_and_the_next_is_fast(workplace):
    for fast in (False, True, True):
        assert [workplace.run(expert, run(10, *part)) for expert, part in (("high", HIGH), ("low", LOW))] == [fast] * 2
    profiles = [workplace.library.load(name) for name in workplace.library.names()]
    assert sorted(profile.weights for profile in profiles) == ["high", "low"]


def test_what_is_measured_is_its_range(workplace):
    workplace.run("high", run(10, *HIGH))
    [name] = workplace.library.names()
    found = workplace.library.load(name)
    assert found.kernel.end == pytest.approx(HIGH[1]) and found.kernel.times[0] == 1
    assert Profile.parse(found.dump(), name) == found


@pytest.mark.parametrize("begin, end, known", [
    (1., .83, True), (1., .9, True), (.95, .83, True), (1., .5, False), (.83, 0., False), (1., 0., False)])
def test_a_run_beyond_what_was_measured_measures_it(workplace, begin, end, known):
    workplace.run("high", run(10, *HIGH))
    assert workplace.run("high", run(12, begin, end)) == known
    assert workplace.run("high", run(12, begin, end))


def test_a_model_that_only_sees_half_of_the_noise_is_measured_there(workplace):
    """Image-to-image, and then more of it."""
    assert [workplace.run("", run(20, .5)) for _ in range(2)] == [False, True]
    assert [workplace.run("", run(20, .7)) for _ in range(2)] == [False, True]
    assert workplace.run("", run(20, .6)) and workplace.run("", run(14, .3))


def test_a_full_measurement_serves_all_parts(workplace):
    workplace.run("", run(20))
    for begin, end in (HIGH, LOW, (.5, 0.), (.9, .5)):
        assert workplace.run("", run(10, begin, end))


def test_parts_of_one_model_serve_the_whole_together(workplace):
    for begin, end in ((1., .5), (.5, 0.)):
        workplace.run("one", run(10, begin, end))
    assert workplace.run("one", run(20)) and workplace.run("another", run(20))
    assert not workplace.run("one", run(20), anew=True)


@pytest.mark.parametrize("steps", [4, 5, 7])
def test_a_run_of_few_steps_is_measured_and_serves_runs_of_no_more(workplace, steps):
    """A second pass, a refiner, image-to-image."""
    assert [workplace.run("", run(steps, .5)) for _ in range(2)] == [False, True]
    assert workplace.run("", run(4, .5))
    assert [workplace.run("", run(20, .5)) for _ in range(2)] == [False, True], "few say too little of many"
    assert workplace.run("", run(steps, .5))


def test_fewer_than_four_steps_are_not_measured_and_the_node_says_so_before_they_run(workplace):
    setup = workplace.setup("", run(3, .5))
    assert setup.observer is None and "not measured on this model: a full run of 4 steps" in setup.plan.note
    with pytest.raises(ValueError, match="3 steps.*use 4"):
        MeasureMethod(lambda *_: "").plan(replace(Schedule.even(3), sigmas=run(3, .5)), PIXART)


@pytest.mark.parametrize("steps", [4, 7])
def test_where_few_steps_leave_nothing_to_gain_the_node_says_so_before_the_run(tmp_path, steps):
    """Each output is another one, as those of models for few steps nearly are."""
    times = run(steps)
    measured = kernel_of(list(times[:-1]), curve(np.array(times[:-1]), roughness=1.))
    library = Library((tmp_path,))
    library.add(Profile(FINGERPRINT, Quantity.VELOCITY, measured, 1, {}, {}))
    found = Workplace(tmp_path).setup("", times, least_quality=30.)
    assert found.observer is None and not found.plan.reused_steps
    assert "nothing to gain here" in found.plan.note and "below the least of 30 dB" in found.plan.note


class TestTheModelComesFirst:
    def library(self, folder, **kernels: Kernel) -> Library:
        library = Library((folder,))
        for weights, found in kernels.items():
            library.add(Profile(FINGERPRINT, Quantity.VELOCITY, found, 1, {}, {}, weights=weights.strip("_")))
        return library

    def test_then_its_class(self, tmp_path):
        library = self.library(tmp_path, mine=kernel(10), other=kernel(20))
        found = [library.find(FINGERPRINT, Quantity.VELOCITY, run(20), weights).weights
                 for weights in ("mine", "other", "new", "")]
        assert found == ["mine", "other", "other", "other"]

    def test_another_of_its_class_where_only_that_covers_the_run(self, tmp_path):
        library = self.library(tmp_path, mine=part(10, *HIGH), other=kernel(20))
        assert library.find(FINGERPRINT, Quantity.VELOCITY, run(10, *HIGH), "mine").weights == "mine"
        assert library.find(FINGERPRINT, Quantity.VELOCITY, run(20), "mine").weights == "other"

    def test_a_file_without_weights_serves_the_class(self, tmp_path):
        library = self.library(tmp_path, _=kernel(20))
        assert library.find(FINGERPRINT, Quantity.VELOCITY, run(20), "any").weights == ""

    def test_each_has_files_of_its_own(self, tmp_path):
        library = self.library(tmp_path, mine=kernel(20), other=kernel(20), _=kernel(20))
        assert len(library.names()) == 3
        self.library(tmp_path, mine=kernel(20, roughness=.1))
        assert len(library.names()) == 3


class TestMerged:
    @pytest.mark.parametrize("ranges", [[(1., .5), (.5, 0.)], [(.5, 0.), (1., .5)], [(1., .4), (.7, 0.)],
                                        [(1., .7), (.3, 0.), (.7, .3)], [(1., 0.), (.6, .3)], [(.6, .3), (1., 0.)]])
    def test_ranges_that_meet_or_overlap_are_known_throughout(self, ranges):
        found, = merged([part(12, *each) for each in ranges])
        assert covers(found, run(20)) and found.end == 0
        truth, times = part(20, 1., 0.), np.array(run(20)[:-1])
        assert np.abs(found.at(times) - truth.at(times)).max() < .1

    def test_ranges_apart_stay_apart(self):
        parts = [part(10, .4, 0.), part(10, 1., .6)]
        found = merged(parts)
        assert [(round(kernel.times[0], 2), kernel.end) for kernel in found] == [(1., .6), (.4, 0.)]

    def test_a_single_one_is_itself(self):
        alone = part(10, .6, .2)
        assert merged([alone]) == (alone,)


@pytest.mark.parametrize("end", [-.1, .5])
def test_a_range_that_ends_before_it_begins_is_refused(end):
    with pytest.raises(ValueError, match="ends"):
        replace(part(10, .6, .2), end=end)
