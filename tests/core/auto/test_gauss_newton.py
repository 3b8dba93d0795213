"""Weights fitted to results, on a model whose best result is known; through ComfyUI's samplers: tests/host/auto."""

import json
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.auto.calibration import CalibrationRuns, with_plan
from blockdance.blockdance_core.auto.gauss_newton import changed, cost, directions, fitted
from blockdance.blockdance_core.auto.kernel import Kernel, mean
from blockdance.blockdance_core.auto.measurement import kernel_of
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import Profile, ProfileError, general
from blockdance.blockdance_core.auto.profile_library import Library
from blockdance.blockdance_core.auto.proven_plan import ProvenPlan
from blockdance.blockdance_core.auto.streams import of_stream
from blockdance.blockdance_core.auto.trial import TrialMethod
from blockdance.blockdance_core.auto.weights import KernelExtrapolation, PlannedWeights
from blockdance.blockdance_core.engine.controller import Moment
from blockdance.blockdance_core.methods.method import Method, begin
from blockdance.blockdance_core.plan.plan import SkipModel
from blockdance.blockdance_core.plan.schedule import Quantity, Schedule
from blockdance.tests.core.auto.imagined_model import FINGERPRINT, PIXART, even

STEPS, RUNS = 12, 3
SCHEDULE = Schedule.even(STEPS)
RATES = torch.linspace(-2, 3, 3, dtype=torch.double).repeat(8)  # of a velocity field that is linear, v = rate * x
PLAN = ProvenPlan((0, 1, 2, 5, 8))


def sample(method: Method, run: int) -> tuple[torch.Tensor, list[torch.Tensor], int]:
    """Euler, by hand: the result, the outputs that the sampler got, and how often the model was asked."""
    latent = torch.randn(1, len(RATES), generator=torch.Generator().manual_seed(run), dtype=torch.double)
    controller, got, asked = begin(method, SCHEDULE, PIXART), [], 0
    for step, (time, following) in enumerate(zip(SCHEDULE.times, SCHEDULE.times[1:])):
        moment = Moment(step, time, time, latent, {}, lambda sigma: ())
        denoised = controller.skip(moment) if isinstance(controller.decide(step).reuse, SkipModel) else None
        if denoised is None:
            asked += 1
            denoised = latent - time * RATES * latent
            if controller.keeps_outputs:
                denoised = controller.computed(moment, denoised)
        got.append((latent - denoised) / time)
        latent = latent + (following - time) * got[-1]
    return latent.flatten(), got, asked


def measured() -> CalibrationRuns:
    full = [sample(AutoMethod(1., lambda *_: None, general), run) for run in range(RUNS)]
    known = mean([kernel_of(list(even(STEPS)), torch.cat(got).float()) for _, got, _ in full])

    def error_of(method: Method, run: int) -> torch.Tensor:
        return sample(method, run)[0] - full[run][0]
    return CalibrationRuns(Quantity.VELOCITY, known, error_of, RUNS)


def off(full: CalibrationRuns, plan: ProvenPlan) -> float:
    return float(torch.stack(full.errors_of(TrialMethod(full.kernel, plan))).square().mean())


def test_the_optimum_of_a_linear_velocity_field_is_found():
    """Its result can be met exactly: three rates are three equations, for nine directions of the weights."""
    full = measured()
    along = directions(full, PLAN)
    begun = changed(PLAN, along, [.02] * len(along))
    found = reduce(lambda plan, _: fitted(full, plan), range(8), begun)
    assert off(full, begun) > 1e-4 and off(full, found) < 1e-5 * off(full, begun)
    gained = [full.quality(full.error_of(TrialMethod(full.kernel, plan), RUNS - 1)) for plan in (begun, found)]
    assert found.quality == pytest.approx(gained[1]) and gained[1] > gained[0] + 40
    again = fitted(full, replace(begun, quality=20.))
    assert 20 < again.quality < 20 + gained[1] - gained[0], "of all runs, by what those that judge gain"


def test_what_judging_runs_find_no_better_is_left():
    full = measured()

    def shifted(method: Method, run: int) -> torch.Tensor:
        """The runs that judge have the best result as they are."""
        changes = getattr(method, "proven", PLAN).changes
        return full.error_of(method, run) if run < RUNS - 1 else torch.ones(4) * (1 + bool(changes))
    assert fitted(replace(full, error_of=shifted), PLAN).changes == ()


def test_no_change_of_weights_is_the_same_run_to_the_bit():
    full = measured()
    nothing = changed(PLAN, directions(full, PLAN), np.zeros(len(directions(full, PLAN))))
    for plan in (PLAN, nothing):
        assert torch.equal(sample(TrialMethod(full.kernel, plan), 0)[0], sample(TrialMethod(full.kernel, PLAN), 0)[0])


def test_a_nudge_gives_the_same_from_the_middle_as_from_the_beginning():
    full, recorded = measured(), {}
    sample(TrialMethod(full.kernel, PLAN, recorded), 0)
    assert sorted(recorded) == list(PLAN.computed)
    for direction in directions(full, PLAN):
        nudged = changed(PLAN, [direction], [.01])
        until = (*PLAN.computed, STEPS)[direction.after + 1]
        whole, _, asked = sample(TrialMethod(full.kernel, nudged), 0)
        rest, _, fewer = sample(TrialMethod(full.kernel, nudged, recorded, until), 0)
        assert torch.equal(whole, rest) and fewer == asked - direction.after
        assert TrialMethod(full.kernel, nudged, recorded, until).share == fewer / STEPS
        assert not torch.equal(whole, sample(TrialMethod(full.kernel, PLAN), 0)[0])


def test_a_direction_moves_the_latent_by_what_it_says():
    """Right after the outputs that it changes: by as many parts of an output's size."""
    full = measured()
    size = float(np.mean([torch.cat(sample(AutoMethod(1., lambda *_: None, general), run)[1]).square().mean()
                          for run in range(RUNS)])) ** .5
    for direction in directions(full, PLAN):
        if direction.after == len(PLAN.computed) - 1:  # nothing follows that answers to it
            moved = [sample(TrialMethod(full.kernel, changed(PLAN, [direction], [.01])), run)[0]
                     - sample(TrialMethod(full.kernel, PLAN), run)[0] for run in range(RUNS)]
            assert float(torch.stack(moved).square().mean()) ** .5 == pytest.approx(.01 * size, rel=.2)


def test_the_cost_is_the_number_of_evaluations():
    full, asked = measured(), []

    def counted(method: Method, run: int) -> torch.Tensor:
        asked.append(sample(method, run)[2])
        return full.error_of(method, run)
    fitted(replace(full, error_of=counted), PLAN)
    assert sum(asked) / STEPS == pytest.approx(cost(full, PLAN))


def test_one_run_cannot_judge_itself():
    with pytest.raises(ValueError, match="2 runs"):
        fitted(replace(measured(), count=1), PLAN)


def planned(kernel: Kernel, way: str, steps: int = STEPS, least: float = 0.):
    method = AutoMethod(STEPS / len(PLAN.computed), lambda *_: kernel, general, least_quality=least)
    schedule = Schedule.even(steps)
    return method.plan(replace(schedule, way=way), PIXART)


def test_auto_uses_what_was_fitted_in_runs_that_are_the_same():
    """Another way of sampling follows the plan by the kernel's weights; another number of steps does not even that."""
    full = replace(measured(), way="euler")
    kernel = with_plan(full, replace(fitted(full, PLAN), quality=33.)).kernel
    same, other, longer = planned(kernel, "euler"), planned(kernel, "lms"), planned(kernel, "euler", 13)
    assert same.expected == 33. and same.extrapolation.plan == kernel.proven[0]
    assert same.reused_steps == other.reused_steps and other.extrapolation.plan is None and other.expected != 33.
    assert longer.extrapolation.plan is None and "runs have shown" not in longer.note


@pytest.mark.parametrize("less", [(10., 10.), (5., 25.)])
def test_what_runs_have_shown_is_expected_at_other_speed_ups_too(less):
    """Of two that were tried; and as many evaluations are computed as the least quality takes by that."""
    full = replace(measured(), way="euler")
    tried = [AutoMethod(STEPS / count, lambda *_: full.kernel, general).plan(SCHEDULE, PIXART) for count in (5, 9)]
    for plan, lower in zip(tried, less):
        computed = tuple(sorted(set(range(STEPS)) - set(plan.reused_steps)))
        full = with_plan(full, ProvenPlan(computed, "euler", plan.expected - lower))
    assert planned(full.kernel, "euler").expected == pytest.approx(tried[0].expected - less[0])
    between = AutoMethod(STEPS / 7, lambda *_: full.kernel, general).plan(
        replace(SCHEDULE, way="euler"), PIXART)
    without = AutoMethod(STEPS / 7, lambda *_: measured().kernel, general).plan(SCHEDULE, PIXART)
    assert between.expected == pytest.approx(without.expected - sum(less) / 2)
    least = tried[0].expected - less[0] + 4
    enough = planned(full.kernel, "euler", least=least)
    assert len(enough.reused_steps) < len(tried[0].reused_steps), "it takes more evaluations than it seemed to"
    assert enough.expected is None or enough.expected >= least


def fitted_extrapolation(streams: int = 0) -> KernelExtrapolation:
    full = measured()
    plan = changed(PLAN, directions(full, PLAN), [.02] * len(directions(full, PLAN)))
    kernel = with_plan(full, plan).kernel
    return KernelExtrapolation(replace(kernel, streams=(full.kernel,) * streams), plan=plan)


def weights(extrapolation: KernelExtrapolation, times=SCHEDULE.times) -> list[dict[int, float]]:
    planned = PlannedWeights(extrapolation, times)
    return [planned.next(step in PLAN.computed) for step in range(len(times) - 1)]


def test_changes_are_only_for_the_outputs_that_they_were_fitted_to():
    """Not at other times, nor where the outputs bend."""
    found = fitted_extrapolation()
    plain = replace(found, plan=None)
    assert weights(found)[:1] == weights(plain)[:1] and weights(found)[1:] != weights(plain)[1:]
    others = tuple(time ** 1.1 for time in SCHEDULE.times)
    assert weights(found, others) == weights(plain, others)
    bent, plain_bent = (replace(some, bends=(.3,)) for some in (found, plain))
    assert weights(bent) == weights(plain_bent)


def test_streams_share_the_changes():
    found = fitted_extrapolation(streams=2)
    assert weights(of_stream(found, 1)) == weights(found)


def test_another_model_of_the_class_gets_the_plan_alone(tmp_path):
    """As one with a LoRA is another model: neither the weights nor what is to be expected."""
    full = replace(measured(), way="euler")
    plan = replace(changed(PLAN, directions(full, PLAN)[:2], [.1, .2]), way="euler", quality=31.5)
    library = Library((tmp_path,))
    library.add(Profile(FINGERPRINT, Quantity.VELOCITY, with_plan(full, plan).kernel, 2, {}, {}, weights="aa"))
    own, other = (library.find(FINGERPRINT, Quantity.VELOCITY, SCHEDULE.times, weights) for weights in ("aa", "bb"))
    assert own.kernel.proven[0].quality == 31.5 and own.kernel.proven[0].changes
    assert other.kernel.proven == (PLAN,)


class TestFile:
    def text(self, **changes) -> str:
        full = replace(measured(), way="euler")
        plan = replace(changed(PLAN, directions(full, PLAN)[:2], [.1, .2]), way="euler", quality=31.5)
        kernel = with_plan(full, plan).kernel
        text = Profile(FINGERPRINT, Quantity.VELOCITY, kernel, 2, {}, {}).dump()
        found = json.loads(text)
        found["shown"][0] |= changes
        return json.dumps(found)

    def test_what_was_fitted_is_kept(self):
        found = Profile.parse(self.text(), "it").kernel.proven[0]
        assert found.computed == PLAN.computed and found.way == "euler" and found.quality == 31.5
        assert len(found.changes) == 5 and sum(map(len, found.changes)) > 5

    @pytest.mark.parametrize("changes", [
        [[0.]], [[0.]] * 6, [[1.]] * 5, [[0.], [1., -1.], [0.], [0., 0., 0., 0., 0.], [0.]], [["a"]] * 5,
        [[float("nan")]] * 5, 7], ids=str)
    def test_changes_that_cannot_be_are_refused(self, changes):
        with pytest.raises(ProfileError, match="mine.json"):
            Profile.parse(self.text(changes=changes), "mine.json")

    @pytest.mark.parametrize("quality", [float("inf"), "good", [1]])
    def test_a_quality_that_is_none_is_refused(self, quality):
        with pytest.raises(ProfileError, match="mine.json"):
            Profile.parse(self.text(quality=quality), "mine.json")
