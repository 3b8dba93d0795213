"""What the benchmark counts is what was done, and every arm is measured by the same rule."""

import pytest
import torch

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.lab.benchmarks import memory
from blockdance.lab.benchmarks.arm import Arm, Calibration, method_arm
from blockdance.lab.benchmarks.arms import ALL, rival, thinned
from blockdance.lab.benchmarks.compare import compare
from blockdance.lab.benchmarks.options import WEIGHTS
from blockdance.lab.benchmarks.rivals.fora import FORA
from blockdance.lab.benchmarks.setting import BASE, Setting
from blockdance.lab.benchmarks.subject import Subject
from blockdance.lab.benchmarks.work import WorkCounter
from blockdance.tests.models.tiny import FLUX, PIXART, SD3, sample

HALF = rival("FORA", "N=2", FORA(2))


@pytest.fixture(scope="module")
def subject():
    return Subject(WEIGHTS / "pixart.safetensors")


@pytest.mark.parametrize("tiny", [PIXART, SD3, FLUX], ids=lambda tiny: tiny.model.__name__)
def test_the_counter_counts_what_a_method_leaves_out(tiny):
    """Of 4 evaluations two replace blocks 1 to 4; our patch and the counter have to agree on what was computed."""
    model = tiny.build()
    counter = WorkCounter(model)
    counter.measure(lambda: sample(model, tiny, steps=1))
    sample(model, tiny, steps=4)
    full = counter.read()
    counter.restart()
    reports = []
    sample(attach(model, DeltaCacheMethod(2, 1, 4), reports.append), tiny, steps=4)
    reused = counter.read()
    assert full.blocks == 2 * reports[0].total and reused.blocks == 2 * reports[0].executed
    assert full.blocks - reused.blocks == 2 * 2 * 4  # rows, evaluations, blocks
    assert 0 < reused.macs < full.macs


def test_the_counter_refuses_a_model_whose_work_it_does_not_see():
    model = PIXART.build()
    counter = WorkCounter(model)
    with pytest.raises(RuntimeError):
        counter.measure(lambda: (sample(model, PIXART, steps=1), torch.ones(999, 999) @ torch.ones(999, 999)))


@pytest.mark.parametrize("setting", [
    {}, {"sampler": "heun"}, {"sampler": "dpmpp_2m", "scheduler": "karras"}, {"together": False}, {"batch": 2}],
    ids=str)
def test_every_second_evaluation_is_half_of_the_work(subject, setting):
    """Without the layers outside the blocks it would be exactly half. Heun has an odd number of evaluations."""
    row, = compare(subject, [HALF], captions=2, steps=4, fewer_steps=(), **setting)
    assert row.macs == pytest.approx(4 / 7 if "sampler" in setting and setting["sampler"] == "heun" else .5, abs=.01)
    assert row.samples == 2 and 5 < row.psnr.mean < 80 and row.objects > 0


def test_an_arm_is_compared_with_fewer_steps_of_the_same_cost(subject):
    fewer = [Arm("fewer steps", f"{share:.0%}", share=share) for share in (.75, .25)]
    *baseline, row = compare(subject, [HALF], captions=1, steps=4, fewer_steps=fewer)
    assert [r.ahead for r in baseline] == [0, 0]
    share = (row.macs - baseline[1].macs) / (baseline[0].macs - baseline[1].macs)
    expected = baseline[1].psnr.mean + share * (baseline[0].psnr.mean - baseline[1].psnr.mean)
    assert row.ahead == pytest.approx(row.psnr.mean - expected)


def test_an_arm_that_does_not_fit_is_an_error_that_says_why(subject):
    with pytest.raises(ValueError, match="Delta-Cache deep.* 28 blocks"):
        compare(subject, [method_arm("Delta-Cache", "deep", DeltaCacheMethod(2, 20, 21))], captions=1, fewer_steps=())


def test_the_measured_captions_are_not_the_calibration_captions(subject):
    drawn = []
    calibration = Calibration(subject, Setting(steps=2))
    for learner in ("a", "a", "b"):
        calibration.learn(learner, lambda calibration: drawn.extend(calibration.draw(subject.patcher)))
    assert len(drawn) == 2 * calibration.captions
    measured = subject.draw(subject.patcher, Setting(steps=2), subject.scenes(1), 0)
    assert not torch.equal(drawn[0].latents, measured.latents)


def test_memory_held_is_what_the_method_stores(subject):
    """One change of the hidden state of 144 tokens and 128 channels, cond and uncond, in float32."""
    full, reused = (memory.measure(lambda on_step: subject.draw(patched, Setting(steps=4), subject.scenes(1), 0,
                                                        on_step))
                    for patched in (subject.patcher, HALF.prepare(Calibration(subject, BASE))))
    places = reused.held - full.held - 2 * 144 * 128 * 4  # of a few pixels, by which passes are told apart
    assert 0 <= places < 1024
    assert full.peak > full.held and reused.peak > full.peak


def test_arms_have_names_of_their_own_and_curves_keep_their_ends():
    names = [arm.name for arm in ALL]
    assert len(set(names)) == len(names)
    few = thinned(ALL, 2)
    for method in {arm.method for arm in ALL}:
        points, kept = ([arm.point for arm in arms if arm.method == method] for arms in (ALL, few))
        assert kept == [points[0], points[-1]][:len(points)]
