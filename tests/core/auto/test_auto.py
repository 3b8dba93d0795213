"""Kernels, the forecasts and plans that come of them, and the files that keep them."""

import json
import math
import re
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.auto import planner, profile
from blockdance.blockdance_core.auto.calibration import SPEEDUPS, CalibrationRuns, tried
from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.latent_error import LatentError, Rules
from blockdance.blockdance_core.auto.measurement import SAMPLED, Measurement, MeasureMethod, kernel_of
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.outputs import Outputs
from blockdance.blockdance_core.auto.planner import Begun, best, search
from blockdance.blockdance_core.auto.profile import Fingerprint, Profile, ProfileError, general, general_quality
from blockdance.blockdance_core.auto.profile_library import Library
from blockdance.blockdance_core.auto.trial import TrialMethod
from blockdance.blockdance_core.auto.weights import KernelExtrapolation, PlannedWeights
from blockdance.blockdance_core.auto.written_plan import WrittenPlanMethod
from blockdance.blockdance_core.plan.plan import Kind, SkipModel
from blockdance.blockdance_core.plan.plan_text import read, written
from blockdance.blockdance_core.plan.schedule import FlowTime, Quantity, SamplerTraits, Schedule
from blockdance.tests.core.auto.imagined_model import FINGERPRINT, PIXART, auto, curve, even, kernel, run
from blockdance.tests.memory import bytes_held


class TestKernel:
    def test_measured_times_are_reproduced(self):
        found = kernel()
        assert np.allclose(found.at(found.times), found.gram, atol=1e-6)
        assert np.trace(found.gram) == pytest.approx(20)

    @pytest.mark.parametrize("steps", [13, 37])
    def test_other_times_come_close_to_what_would_be_measured(self, steps):
        times = even(steps)[:-2]
        truth = curve(times).numpy()
        scale = np.trace(curve(even(20)).numpy() @ curve(even(20)).numpy().T) / 20
        assert np.allclose(kernel().at(times), truth @ truth.T / scale, atol=.02)

    def test_far_from_what_was_measured_nothing_is_promised(self):
        found = Kernel(even(20)[8:], kernel().gram[8:, 8:])  # from 60 % noise on
        gram = found.at(np.array([.95, .6]))
        assert gram[0, 0] - gram[0, 1] ** 2 / gram[1, 1] > .01  # of .95, not to be had from .6

    @pytest.mark.parametrize("times", [
        [1., .9999, .9995, .6, .3, .0008, .0003, .0001], [*even(1000)[::3], .0001], [.9999, .9998]])
    def test_measured_times_may_be_as_close_as_schedules_have_them(self, times):
        found = kernel_of(times, curve(np.array(times))).at(even(20))
        assert np.isfinite(found).all() and np.linalg.eigvalsh(found)[0] > -1e-6

    @pytest.mark.parametrize("times, gram", [
        ([.5, .9], np.eye(2)), ([.9], np.eye(1)), ([1.2, .5], np.eye(2)), ([.9, .5], np.eye(3)),
        ([.9, .5], np.array([[1, np.nan], [np.nan, 1]])), ([.9, .5], np.array([[1., 2.], [2., 1.]])),
        ([.9, .5], np.array([[1., .5], [.1, 1.]]))])
    def test_what_is_no_kernel_is_refused(self, times, gram):
        with pytest.raises(ValueError, match="kernel"):
            Kernel(np.array(times), gram)


class TestCourse:
    def test_a_full_run_is_given_as_it_is(self):
        planned = PlannedWeights(KernelExtrapolation(kernel()), np.append(even(20), 0.))
        assert [planned.next(True) for _ in range(20)] == [{now: 1.} for now in range(20)]

    def test_outputs_follow_the_plan(self):
        times = [*even(20), 0.]
        outputs = Outputs(KernelExtrapolation(kernel()), Schedule.even(20).stretches)
        planned = PlannedWeights(KernelExtrapolation(kernel()), times)
        values = curve(even(20))
        for now in range(20):
            computed = now in (0, 1, 2, 5, 8, 9)
            weights = planned.next(computed)
            value = values[now].clone()
            given = outputs.computed(times[now], value) if computed else outputs.forecast(times[now])
            assert torch.allclose(given, sum(w * values[a] for a, w in weights.items()))
            assert torch.equal(value, values[now])  # what the model gave is not written to
        assert outputs.bytes == 5 * 400 * 8

    def test_without_a_known_course_each_is_forecast_by_itself(self):
        extrapolation = KernelExtrapolation(kernel())
        outputs, values = Outputs(extrapolation), curve(even(20))
        for now in (0, 1, 3):
            value = values[now]
            assert outputs.computed(even(20)[now], value) is value
        expected = extrapolation.weights([even(20)[3], even(20)[1], even(20)[0]], even(20)[4])
        given = outputs.forecast(even(20)[4])
        assert torch.allclose(given, sum(w * values[now] for w, now in zip(expected, (3, 1, 0))))
        assert (given - values[4]).norm() < .3 * (values[3] - values[4]).norm()

    def test_another_size_of_picture_begins_anew(self):
        outputs = Outputs(KernelExtrapolation(kernel()))
        outputs.computed(1., torch.zeros(4))
        assert outputs.fit(torch.zeros(4)) and not outputs.fit(torch.zeros(5))
        outputs.computed(.9, torch.ones(5))
        assert outputs.fit(torch.zeros(5)) and torch.equal(outputs.forecast(.8), torch.ones(5))


class TestPlanner:
    def test_a_candidate_for_every_budget_and_more_is_never_worse(self):
        candidates = search(kernel(roughness=.01).gram, np.append(even(20), 0.))
        assert [len(candidate.computed) for candidate in candidates] == list(range(1, 21))
        assert all(candidate.computed[0] == 0 for candidate in candidates)
        qualities = [candidate.quality for candidate in candidates]
        assert all(a <= b + .5 for a, b in zip(qualities, qualities[1:])) and qualities[-1] == math.inf

    def test_where_the_outputs_change_most_more_is_computed(self):
        bent = np.where(even(30) > .5, even(30) + 3 * np.sin(12 * even(30)), even(30) * .2)
        computed = search(kernel_of(list(even(30)), curve(bent)).gram, np.append(even(30), 0.))[11].computed
        assert sum(step < 15 for step in computed) >= 8


class TestPolicy:
    @pytest.mark.parametrize("steps", [8, 20, 28, 30, 50])
    @pytest.mark.parametrize("speedup", [1.5, 2., 2.5, 3., 4.])
    def test_never_more_nor_much_less_than_asked(self, steps, speedup):
        plan = auto(speedup).plan(Schedule.even(steps), PIXART)
        computed = steps - len(plan.reused_steps)
        assert computed == math.ceil(steps / speedup)
        assert {type(decision.reuse) for decision in plan.decisions if decision.reuse} == {SkipModel}
        assert f"{steps / computed:.2f}x" in plan.note

    def test_an_equal_schedule_is_searched_once(self, monkeypatch):
        asked = []
        monkeypatch.setattr(planner, "search", lambda *given, **more: asked.append(more) or search(*given, **more))
        same, other = Schedule.even(20), Schedule.even(21)
        again = AutoMethod(2., lambda *_: kernel(), general)  # a kernel that is read anew each time
        plans = [again.setup(schedule, PIXART) for schedule in (same, same, other, same)]
        assert len(asked) == 2
        assert plans[0].plan == plans[3].plan and plans[0].replanner is not plans[1].replanner
        replace(again, speedup=3.).plan(same, PIXART)
        AutoMethod(2., lambda *_: kernel(roughness=.1), general).plan(same, PIXART)
        assert len(asked) == 4

    @pytest.mark.parametrize("steps", [65, 150, 1000])
    @pytest.mark.parametrize("least", [0., 60., 150.])
    def test_a_long_run_is_searched_as_a_short_one_is(self, monkeypatch, steps, least):
        """The alternatives of a search grow with the square of the steps; in a long run only one walks through all."""
        asked = []
        monkeypatch.setattr(planner, "search", lambda *given, **more: asked.append((given, more)) or search(
            *given, **more))
        plan = auto(4., kernel(roughness=.001), least_quality=least).plan(Schedule.even(steps), PIXART)
        assert 0 < len(asked) <= 8
        assert all(len(gram) <= 64 or more.get("only") is not None for (gram, *_), more in asked)
        computed = steps - len(plan.reused_steps)
        assert computed == math.ceil(steps / 4) if not least else computed >= math.ceil(steps / 4)

    def test_a_long_run_computes_as_much_more_as_the_least_quality_takes(self):
        """The thinned run comes close to the full one only where it computes nearly everything."""
        known = general(Quantity.VELOCITY)
        rough = Kernel(known.times, (known.gram + .5 * np.eye(len(known.times))) / 1.5, growth=.3)
        asked = 400 - len(auto(4., rough).plan(Schedule.even(400), PIXART).reused_steps)
        plan = auto(4., rough, least_quality=50.).plan(Schedule.even(400), PIXART)
        assert asked < 400 - len(plan.reused_steps) < 300 and "below the least of 50 dB" in plan.note

    @pytest.mark.parametrize("speedup", [1.002, 1.01])
    def test_a_long_run_that_computes_nearly_everything(self, speedup):
        plan = auto(speedup, kernel(roughness=3.), least_quality=190.).plan(Schedule.even(1000), PIXART)
        assert len(plan.reused_steps) <= 1000 - math.ceil(1000 / speedup)

    def test_a_thinned_search_comes_close_to_that_of_all(self):
        times = np.append(even(130), 0.)
        gram = general(Quantity.VELOCITY).at(times[:-1])
        for count in (33, 44, 65, 90):
            found, = best(gram, times, Rules(), Quantity.VELOCITY, count)
            all_of_it, = search(gram, times, fewest=count, most=count)
            assert len(found.computed) == count and found.quality > all_of_it.quality - 3

    def test_a_long_run_that_is_begun_keeps_what_it_has_computed(self):
        times = np.append(even(130), 0.)
        gram, past = kernel().at(times[:-1]), tuple(range(0, 80, 2))
        walked = search(gram, times, only=(*past, *range(80, 130)))[0]
        drift = LatentError(gram[:80, :80], times[:81], Rules())
        for now in range(80):
            drift.follow(drift.step((now in past,)), np.zeros(1, int))
        for count in (40, 60, 90):
            found, = best(gram, times, Rules(), Quantity.VELOCITY, count, begun=Begun(past, drift.error[0]))
            assert found.computed[:40] == past and len(found.computed) == count
            assert min(found.computed[40:], default=80) >= 80
            assert count < 90 or found.computed == walked.computed

    @pytest.mark.parametrize("steps, speedup", [(8, 1.5), (20, 2.), (30, 3.), (50, 4.), (60, 3.)])
    def test_plans_compute_as_many_steps_as_asked_and_those_in_noise_most_densely(self, steps, speedup):
        plan = auto(speedup).plan(Schedule.even(steps), PIXART)
        computed = [step for step in range(steps) if step not in plan.reused_steps]
        gaps = np.diff([*computed, steps])
        assert len(computed) == math.ceil(steps / speedup) and computed[:3] == [0, 1, 2]
        assert max(gaps[:len(gaps) // 2]) <= max(gaps[len(gaps) // 2:]) and sum(gaps[:len(gaps) // 2]) < steps / 2

    def test_a_plan_that_is_written_down_has_the_same_weights(self):
        plan = auto(4.).plan(Schedule.even(30), PIXART)
        again = WrittenPlanMethod(read(written(plan)), lambda *_: general(Quantity.VELOCITY))
        assert again.plan(Schedule.even(30), PIXART).extrapolation == plan.extrapolation

    def test_where_errors_were_measured_to_grow_more_is_computed_early(self):
        known = general(Quantity.VELOCITY)
        plans = [auto(2., replace(known, growth=growth)).plan(Schedule.even(30), PIXART) for growth in (.3, 3.)]
        few, many = (sum(step < 10 for step in range(30) if step not in plan.reused_steps) for plan in plans)
        assert many > few

    def test_a_speedup_of_one_computes_everything(self):
        setup = auto(1.).setup(Schedule.even(20), PIXART)
        assert not setup.plan.reused_steps and setup.observer is None and "everything is computed" in setup.plan.note

    @pytest.mark.parametrize("sigmas", [(1., .5, .8, 0.), (1., 1., 0.), (1., 0.)])
    def test_noise_that_does_not_fall_is_left_alone(self, sigmas):
        plan = auto(2.).plan(replace(Schedule.even(3), sigmas=sigmas), PIXART)
        assert not plan.reused_steps and "nothing to forecast" in plan.note

    def test_a_model_that_was_not_measured_is_first_recorded(self):
        kept = []
        setup = auto(2., save=lambda *found: kept.append(found) or "kept").setup(Schedule.even(20), PIXART)
        assert not setup.plan.reused_steps and "records" in setup.plan.note
        for time, output in zip(even(20), curve(even(20))):
            setup.observer.observe(output, output * 0, float(time))
        assert setup.observer.finish() == "kept" and kept[0][0] is Quantity.VELOCITY

    @pytest.mark.parametrize("schedule", [
        Schedule.even(3), replace(Schedule.even(20), sampler=SamplerTraits(counted=False)),
        replace(Schedule.even(20), sigmas=Schedule.even(20).sigmas[:4])])
    def test_a_run_that_says_too_little_is_not_recorded(self, schedule):
        setup = auto(2., save=lambda *_: "").setup(schedule, PIXART)
        assert setup.observer is None and setup.plan.reused_steps
        assert "not measured on this model" in setup.plan.note
        with pytest.raises(ValueError, match="use|measure"):
            MeasureMethod(lambda *_: "").plan(schedule, PIXART)

    def test_samplers_that_take_more_than_the_result_get_the_blocks_replaced(self):
        schedule = replace(Schedule.even(20), sampler=SamplerTraits(whole=False))
        reuses = {decision.reuse for decision in auto(2.).plan(schedule, PIXART).decisions} - {None}
        assert [(reuse.kind, len(reuse.span)) for reuse in reuses] == [(Kind.DELTA, 28)]

    def test_least_quality_computes_more_and_says_so(self):
        measured = kernel(20, roughness=.02)
        fast, good = (auto(4., measured, least_quality=least).plan(Schedule.even(20), PIXART) for least in (0., 45.))
        assert len(fast.reused_steps) == 15 > len(good.reused_steps) and "below the least of 45 dB" in good.note
        rough = auto(2., kernel(20, roughness=3.), least_quality=40.).plan(Schedule.even(20), PIXART)
        assert not rough.reused_steps and rough.note.startswith("nothing to gain here: 1.00x")

    @pytest.mark.parametrize("least", [0., 45.])
    @pytest.mark.parametrize("steps", [4, 8, 20])
    def test_of_a_model_that_was_not_measured_no_more_is_expected_than_other_models_reach(self, steps, least):
        unmeasured = auto(3., least_quality=least)
        foreign = replace(unmeasured, measured=lambda quantity, _: general(quantity), expects=False)
        for chosen in (unmeasured, foreign):
            plan = chosen.plan(Schedule.even(steps), PIXART)
            said = re.search(r"(\d+) dB expected, by what other models reach", plan.note)
            assert bool(said) == bool(plan.reused_steps) and plan.expected is None
            speedup = steps / (steps - len(plan.reused_steps))
            assert not said or float(said[1]) <= general_quality(Quantity.VELOCITY, speedup) + .5
        assert "other models" not in replace(foreign, expects=True).plan(Schedule.even(steps), PIXART).note

    def test_nothing_is_expected_of_it_where_no_model_was_left_out(self, monkeypatch, tmp_path):
        known = general(Quantity.VELOCITY)
        monkeypatch.setattr(profile, "GENERAL", tmp_path)
        foreign = replace(auto(3.), measured=lambda *_: known, expects=False)
        assert "how close it comes is not known" in foreign.plan(Schedule.even(20), PIXART).note

    @pytest.mark.parametrize("speedup", [.9, 4.1, -1.])
    def test_other_speedups_are_refused(self, speedup):
        with pytest.raises(ValueError, match="speedup.*1 .*to 4"):
            auto(speedup)


class TestMeasurement:
    @pytest.mark.parametrize("flow", [True, False])
    def test_it_measures_the_velocity(self, flow):
        """Of a straight path from noise to picture the velocity never changes."""
        flow_time, noise, picture, kept = FlowTime(flow), torch.randn(64), torch.randn(64), []
        schedule = replace(Schedule.even(10), flow_time=flow_time)
        measurement = Measurement(schedule, Quantity.VELOCITY, lambda quantity, found: kept.append(found) or "")
        for time in even(10):
            sigma = time if flow else time / (1 - min(time, .999))
            latent = (1 - time) * picture + time * noise if flow else picture + sigma * noise
            measurement.observe(latent, picture, float(sigma))
        measurement.finish()
        assert np.allclose(kept[0].gram, 1, atol=1e-5)

    def test_memory_is_bounded(self):
        measurement = Measurement(Schedule.even(3), Quantity.PICTURE, lambda *_: "")
        big, held = torch.randn(3 * SAMPLED), []
        for sigma in (.9, .8, .7):
            measurement.observe(big, big, sigma)
            held.append(bytes_held(measurement))
        assert held[2] - held[1] == held[1] - held[0] == 4 * SAMPLED

    def test_the_report_of_a_run_keeps_nothing_of_it(self):
        for outputs in (torch.randn(3, 2 * SAMPLED), torch.full((3, 8), float("nan"))):
            measurement = Measurement(Schedule.even(3), Quantity.PICTURE, lambda *_: "kept")
            for time, output in zip((1., .5, .1), outputs):
                measurement.observe(output, output, time)
            if outputs.isnan().any():
                with pytest.raises(ValueError, match="finite"):
                    measurement.finish()
            else:
                assert measurement.finish() == "kept"
            assert bytes_held(measurement) == 0


class TestProfile:
    def profile(self, **changes) -> Profile:
        return replace(Profile(FINGERPRINT, Quantity.VELOCITY, kernel(), 2, {"cfg": 3.}, {"torch": "2"}), **changes)

    def test_a_file_says_what_was_measured(self, tmp_path):
        library = Library((tmp_path / "new", tmp_path))
        path = library.add(self.profile())
        assert path.parent.name == "new" and path.name.startswith("PixArtMS-28-") and library.names() == [path.name]
        found = library.load(path.name)
        assert np.allclose(found.kernel.gram, kernel().gram, rtol=1e-10)
        assert replace(found, kernel=None) == self.profile(kernel=None)

    def test_the_profile_of_the_model_and_the_nearest_steps_is_found(self, tmp_path):
        library = Library((tmp_path,))
        for steps in (10, 28, 50):
            library.add(self.profile(kernel=kernel(steps)))
        library.add(self.profile(kernel=kernel(20), quantity=Quantity.PICTURE))
        library.add(self.profile(kernel=kernel(30), fingerprint=replace(FINGERPRINT, parameters=1)))
        assert [library.find(FINGERPRINT, Quantity.VELOCITY, run(steps)).steps for steps in (4, 20, 30, 200)] == [
            10, 28, 28, 50]
        assert library.find(FINGERPRINT, Quantity.PICTURE, run(50)).steps == 20
        assert library.find(replace(FINGERPRINT, flow=True), Quantity.VELOCITY, run(20)) is None

    def test_another_model_is_refused_by_name(self):
        with pytest.raises(ProfileError, match="my.json.*PixArtMS, 28 blocks.*Flux"):
            self.profile().check(replace(FINGERPRINT, name="Flux"), "my.json")

    @pytest.mark.parametrize("damage", [
        lambda text: text[:-50], lambda text: "", lambda text: "[" * 100_000,
        lambda text: text.replace("profile 1", "profile 2"),
        lambda text: text.replace('"times"', '"tim"'), lambda text: json.dumps([1, 2]),
        lambda text: text.replace('"gram": [\n  [', '"gram": [\n  [1e999, '),
        lambda text: json.dumps({**json.loads(text), "gram": [[1e400] * 20] * 20}),
        lambda text: json.dumps({**json.loads(text), "times": [1] * 20}),
        lambda text: json.dumps({**json.loads(text), "runs": None}),
        lambda text: json.dumps({**json.loads(text), "quantity": "latent"}),
        lambda text: json.dumps({**json.loads(text), "model": 7}),
        lambda text: json.dumps({**json.loads(text), "times": list(range(10 ** 4))})])
    def test_a_damaged_file_is_refused_by_name(self, damage, tmp_path, caplog):
        library = Library((tmp_path,))
        path = library.add(self.profile())
        path.write_text(damage(path.read_text()))
        with pytest.raises(ProfileError, match=path.name):
            library.load(path.name)
        assert library.find(FINGERPRINT, Quantity.VELOCITY, run(20)) is None and path.name in caplog.text

    @pytest.mark.parametrize("name", ["../secret.json", "missing.json", "/etc/passwd"])
    def test_only_files_of_the_folder_are_read(self, name, tmp_path):
        (tmp_path / "secret.json").write_text(self.profile().dump())
        (tmp_path / "profiles").mkdir()
        with pytest.raises(ProfileError, match=name):
            Library((tmp_path / "profiles",)).load(name)

    def test_the_state_of_a_library_changes_with_its_files_alone(self, tmp_path):
        library = Library((tmp_path / "new", tmp_path))
        states = [library.state(), library.state()]
        path = library.add(self.profile())
        states += [library.state(), library.state()]
        path.write_text("x")
        states += [library.state(), library.state()]
        path.unlink()
        assert states[::2] == states[1::2] and len(set(states)) == 3 and library.state() == states[0]

    @pytest.mark.parametrize("quantity", Quantity)
    def test_the_general_profile_is_there(self, quantity):
        assert len(general(quantity).times) >= 20


class TestRefinement:
    """What came closest in runs is what a run at the same times computes."""

    @staticmethod
    def refine(errors_of, steps: int = 20, tries: int = 4) -> Kernel:
        """errors_of: of all runs, by a method."""
        told = {}

        def error_of(method, run):
            errors = told[method.proven] = told.get(method.proven) or errors_of(method)
            return torch.tensor([errors[run]])
        runs = len(errors_of(None))
        full = CalibrationRuns(Quantity.VELOCITY, kernel(steps), error_of, runs, "euler")
        return reduce(lambda full, speedup: tried(full, speedup, tries), SPEEDUPS, full).kernel

    def test_the_closest_choice_is_kept_and_used(self):
        seen = {}

        def errors_of(method: TrialMethod | None) -> list[float]:
            if method is None:
                return [1.]
            choice = method.proven.computed
            count = len(choice)
            seen.setdefault(count, []).append(choice)
            plan = method.plan(Schedule.even(20), PIXART)
            assert sorted(set(range(20)) - set(plan.reused_steps)) == list(choice)
            return [.5 if len(seen[count]) == 3 else 1.]
        found = self.refine(errors_of)
        assert {count: len(choices) for count, choices in seen.items()} == {14: 4, 10: 4, 8: 4, 7: 4, 5: 4}
        assert [plan.computed for plan in found.proven] == [choices[2] for choices in seen.values()]
        assert all(len(set(choices)) == 4 for choices in seen.values())
        for speedup, proven in zip(SPEEDUPS, found.proven):
            plan = AutoMethod(speedup, lambda *_: found, general).plan(Schedule.even(20), PIXART)
            assert sorted(set(range(20)) - set(plan.reused_steps)) == list(proven.computed)
            assert "runs have shown" in plan.note

    @pytest.mark.parametrize("second, kept", [
        ([.5, .5, .6], 1), ([.9, .9, 1.2], 0), ([.1, 1.1, 1.1], 0), ([.9, .9, .9], 1), ([float("nan"), .1, .1], 0),
        ([1., 1., 1.], 0)])
    def test_it_takes_more_than_the_error_of_the_gain_to_be_chosen(self, second, kept):
        """Against errors of 1 in each of three runs."""
        seen = []

        def errors_of(method: TrialMethod | None) -> list[float]:
            if method is None:
                return second
            seen.append(method.proven.computed)
            return [1.] * 3 if len(seen) % 2 else second
        assert [plan.computed for plan in self.refine(errors_of, tries=2).proven] == seen[kept::2]

    def test_the_first_tried_is_what_a_search_would_choose(self):
        found = self.refine(lambda method: [1.])
        for speedup in (1.5, 2., 2.5, 3., 4.):
            by_search, by_runs = (AutoMethod(speedup, lambda *_: known, general).plan(Schedule.even(20), PIXART)
                                  for known in (kernel(20), found))
            assert by_search.decisions == by_runs.decisions

    def test_other_times_are_searched_for(self):
        found = self.refine(lambda method: [1. / sum(method.proven.computed) if method else 1.])
        other = replace(Schedule.even(20), sigmas=tuple(sigma ** 1.1 for sigma in Schedule.even(20).sigmas))
        for schedule in (other, Schedule.even(21)):
            plans = [AutoMethod(2., lambda *_: known, general).plan(schedule, PIXART) for known in (kernel(20), found)]
            assert plans[0].decisions == plans[1].decisions and "runs have shown" not in plans[1].note

    def test_it_is_kept_in_a_profile(self):
        known = self.refine(lambda method: [1.])
        profile = Profile(Fingerprint("PixArtMS", (28,), 10 ** 6, True), Quantity.VELOCITY, known, 2, {}, {})
        assert Profile.parse(profile.dump(), "it").kernel.proven == known.proven
        assert hash(known) != hash(kernel(20)) and known != kernel(20)

    @pytest.mark.parametrize("choice", [[1, 2], [0, 0, 1], [0, 2, 1], [0, 20], [], [0, -1]])
    def test_a_choice_that_is_none_is_refused(self, choice):
        text = Profile(Fingerprint("PixArtMS", (28,), 10 ** 6, True), Quantity.VELOCITY, kernel(20), 2, {}, {}).dump()
        with pytest.raises(ProfileError, match="mine.json"):
            Profile.parse(json.dumps(json.loads(text) | {"proven": [choice]}), "mine.json")
