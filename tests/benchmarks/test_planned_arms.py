"""Static caches and ceilings in ComfyUI: what they compute is what they say, and what they learn comes from captions
that are not measured."""

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.lab.benchmarks import measured, planned, tuned
from blockdance.lab.benchmarks.arm import Arm, Calibration
from blockdance.lab.benchmarks.arms import ALL, AUTO, BNS, CEILING, MAIN, RIVALS, SLOW
from blockdance.lab.benchmarks.compare import Contest
from blockdance.lab.benchmarks.options import WEIGHTS, parse
from blockdance.lab.benchmarks.rivals.bns import Solver
from blockdance.lab.benchmarks.rivals.l2p import l2p
from blockdance.lab.benchmarks.rivals.solver import on_grid, solved
from blockdance.lab.benchmarks.rivals.static import attach_static, repeat
from blockdance.lab.benchmarks.rivals.trajectory import RecordTrajectory, Trajectory
from blockdance.lab.benchmarks.setting import Setting
from blockdance.lab.benchmarks.subject import Subject
from blockdance.lab.benchmarks.worker import chosen_arms
from blockdance.tests.models.tiny import FLUX, PIXART, sample

STEPS = 8
TINIES = {"pixart": PIXART, "flux": FLUX}


@pytest.fixture(scope="module")
def subject():
    return Subject(WEIGHTS / "pixart.safetensors")


@pytest.fixture
def few_captions(monkeypatch):
    monkeypatch.setattr(measured, "RECORDED_ON", 1)
    monkeypatch.setattr(planned, "RECORDED_ON", 1)
    monkeypatch.setattr(planned, "FINE", 12)
    monkeypatch.setattr(tuned, "TRIED_ON", 1)


def recorded(model, tiny) -> Trajectory:
    found = []
    sample(attach(model, RecordTrajectory(found.append), family=ANY_MODEL), tiny, steps=STEPS)
    return found[0]


@pytest.fixture(params=TINIES, scope="module")
def tiny_run(request):
    tiny = TINIES[request.param]
    model = tiny.build()
    return tiny, model, recorded(model, tiny)


def test_a_recorded_run_ends_where_the_run_ends(tiny_run):
    tiny, model, run = tiny_run
    full = sample(model, tiny, steps=STEPS)
    result = model.model.process_latent_out(run.latents[-1].view(full.shape))
    torch.testing.assert_close(result, full, rtol=1e-4, atol=1e-4)


def test_a_recipe_that_computes_everything_is_identity_and_any_other_computes_what_it_says(tiny_run):
    tiny, model, run = tiny_run
    everything = attach_static(model, "all", repeat(STEPS, range(STEPS)))
    assert torch.equal(sample(everything, tiny, steps=STEPS), sample(model, tiny, steps=STEPS))
    patched = attach_static(model, "L2P", l2p(run.gram, (0, 2, 5)))
    sample(patched, tiny, steps=STEPS)
    assert [evaluation.step for evaluation in last_report(patched).evaluations if evaluation.executed] == [0, 2, 5]
    sample(patched, tiny, steps=STEPS + 1)
    assert not last_report(patched).plan.reused_steps  # it was made for other steps


def test_a_solver_with_the_weights_of_a_recipe_draws_what_the_recipe_draws(tiny_run):
    """Two ways through a run, one picture; with Euler latents move by the outputs."""
    tiny, model, run = tiny_run
    recipe = l2p(run.gram, (0, 1, 4, 6))
    solver = Solver.of(recipe, run.times)
    torch.testing.assert_close(sample(solved(model, solver), tiny, steps=STEPS),
                               sample(attach_static(model, "L2P", recipe), tiny, steps=STEPS), rtol=1e-3, atol=1e-3)


def test_a_grid_of_the_schedules_own_sigmas_changes_nothing(tiny_run):
    tiny, model, run = tiny_run
    assert torch.equal(sample(on_grid(model, run.schedule.sigmas), tiny, steps=STEPS),
                       sample(model, tiny, steps=STEPS))


@pytest.mark.parametrize("arm", [arm for arm in ALL if arm.point == "2x" and arm.method not in (*SLOW, AUTO)],
                         ids=lambda arm: arm.method)
def test_every_planned_arm_computes_half_of_the_evaluations_at_2x(subject, few_captions, arm):
    record, = Contest(subject, [arm], Setting(steps=STEPS)).run(subject.scenes(1), 0, 0)
    assert record.macs == pytest.approx(.5 * record.full_macs)
    assert record.qualities[0].psnr > 10


@pytest.mark.parametrize("sampler", [
    "heun", "dpmpp_2m", "res_multistep", "uni_pc", "er_sde", "euler_ancestral", "dpmpp_2m_sde"])
def test_static_caches_serve_other_samplers(subject, few_captions, sampler):
    arms = [arm for arm in ALL if arm.method in ("L2P", "MeanCache") and arm.point == "2x"]
    for record in Contest(subject, arms, Setting(steps=STEPS, sampler=sampler)).run(subject.scenes(1), 0, 0):
        assert record.macs < .62 * record.full_macs and record.qualities[0].psnr > 15, record.name


def test_ways_of_sampling_beside_the_first_have_the_nearest_rivals_at_two_speeds():
    arms = chosen_arms(parse([]), first=False)
    assert {arm.method for arm in arms} == set(MAIN) and set(RIVALS) < set(MAIN)
    assert {arm.point for arm in arms if arm.method in RIVALS} == {"2x", "3x"}
    assert len(arms) < len(chosen_arms(parse(["--quick"]))) < len(chosen_arms(parse([])))


def test_a_tuned_rival_is_no_worse_on_the_captions_that_it_was_tried_on(subject, few_captions):
    calibration = Calibration(subject, Setting(steps=STEPS), captions=1)
    full = calibration.draw(subject.patcher)[0].latents

    def error(recipe) -> float:
        drawn = calibration.draw(attach_static(subject.patcher, "", recipe))
        return float((drawn[0].latents - full).square().mean())
    candidates = list(tuned.l2ps(calibration, 4))
    best = tuned.tuned(lambda *_: candidates)(calibration, 4)
    assert len(candidates) == 8 and error(best) == min(map(error, candidates))


def test_what_took_long_to_learn_is_not_learnt_again(subject, tmp_path):
    learnt = []

    def learn(calibration: Calibration) -> list[int]:
        learnt.append(calibration.setting)
        return [len(learnt)]

    def found(steps: int, folder=tmp_path) -> list[int]:
        return Calibration(subject, Setting(steps=steps), folder=folder).keep("a plan", learn, list, list)
    assert [found(4), found(4), found(5), found(4)] == [[1], [1], [2], [1]]
    assert found(4, None) == [3] and len(learnt) == 3


def test_a_solver_tells_of_its_evaluations_as_a_sampler_does(subject):
    """By which the memory of a run is measured."""
    heard, setting = [], Setting(steps=4)
    solver = Solver.of(repeat(4, (0, 2)), np.linspace(1, 0, 5))
    subject.draw(solved(subject.patcher, solver), setting, subject.scenes(1), 0, lambda: heard.append(1))
    assert len(heard) == 2


@pytest.mark.parametrize("name, share", [
    ("pixart", 1.),  # begins with the best weights there are, but for a thousandth
    ("flux", .9)])  # which adds to its tensors in place
def test_training_weights_through_the_model_brings_calibration_captions_closer(name, share, few_captions):
    subject = Subject(WEIGHTS / f"{name}.safetensors")
    calibration = Calibration(subject, Setting(steps=STEPS), captions=1)
    full = calibration.draw(subject.patcher)[0].latents

    def error(rounds: int) -> float:
        arm = planned.ceiling_of_weights("", 4., rounds=rounds)
        drawn = calibration.draw(arm.prepare(Calibration(subject, Setting(steps=STEPS))))
        return float((drawn[0].latents - full).square().mean())
    assert error(3) < share * error(0)  # with two evaluations, and three weights


def test_a_search_by_real_runs_is_no_worse_on_its_captions_than_every_other_plan(subject):
    calibration = Calibration(subject, Setting(steps=4), captions=1)
    full = calibration.draw(subject.patcher)[0].latents

    def error(recipe) -> float:
        drawn = calibration.draw(attach_static(subject.patcher, "", recipe))
        return float((drawn[0].latents - full).square().mean())
    found = planned.searched(annealing=6, climbs=4)(calibration, 2)
    assert error(found) == min(error(repeat(4, (0, other))) for other in (1, 2, 3))


def test_ceilings_are_no_rivals_and_a_quick_benchmark_does_not_wait_for_them():
    arms = chosen_arms(parse(["--quick"]))
    assert not {arm.method for arm in arms} & set(SLOW)
    assert BNS in {arm.method for arm in chosen_arms(parse(["--quick", "--arms", "BNS"]))}
    assert all(arm.inform is None for arm in ALL if not arm.method.startswith(CEILING))


def test_a_run_of_many_steps_is_another_reference_unless_the_sampler_adds_noise(subject):
    steady, noisy = (next(Contest(subject, [Arm("half", share=.5)], Setting(steps=8, sampler=sampler), many=24).run(
        subject.scenes(1), 0, 0)).qualities[0] for sampler in ("euler", "euler_ancestral"))
    assert steady.exact < steady.full_exact < 100
    assert noisy.exact is noisy.full_exact is None
