"""BlockDance inside ComfyUI's own samplers: identity, counts, conditions, lifetime."""

import gc
import logging

import comfy.model_management
import pytest
import torch

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.plan.plan import Kind
from blockdance.tests.models.tiny import FLUX, PIXART, sample
from blockdance.tests.trial import Counter

OFF = {
    "N=1": BlockDanceMethod(N=1),
    "empty window": BlockDanceMethod(start=.5, end=.5),
    "end before start": BlockDanceMethod(start=.9, end=.1),
    "window after the last step": BlockDanceMethod(start=.99, end=1.),
}


@pytest.mark.parametrize("method", OFF.values(), ids=OFF.keys())
def test_without_reuse_nothing_changes(model, tiny, method):
    reports = []
    full = sample(model, tiny)
    assert torch.equal(sample(attach(model, method, reports.append), tiny), full)
    assert reports[0].executed == reports[0].total and reports[0].plan.note


def test_the_model_is_untouched_afterwards(model, tiny):
    before = sample(model, tiny)
    patched = attach(model, BlockDanceMethod())
    changed = sample(patched, tiny)
    assert not torch.equal(changed, before)
    assert torch.equal(sample(model, tiny), before)
    assert torch.equal(sample(patched, tiny), changed), "a second run differs from the first"


def test_executed_blocks_are_those_of_the_plan(model, tiny):
    counter, reports = Counter(model), []
    sample(attach(model, BlockDanceMethod(N=3), reports.append), tiny, steps=20)
    report, = reports
    depth = len(counter.blocks)
    assert report.plan.reused_steps == (8, 9, 11, 12, 14, 15, 17, 18)
    assert report.executed == counter.executed == report.plan.computed_blocks(depth)
    assert report.total == 20 * depth and report.misses == 0 and report.reused == 8


def test_cond_and_uncond_in_one_call_or_two(model, tiny, monkeypatch):
    """Without memory for both conditions ComfyUI calls the model twice; the picture must stay the same."""
    patched = attach(model, BlockDanceMethod(), (reports := []).append)
    together = sample(patched, tiny)
    monkeypatch.setattr(type(model), "get_free_memory", lambda self, device: 0)
    apart = sample(patched, tiny)
    torch.testing.assert_close(apart, together, rtol=1e-2, atol=1e-2)  # batches round differently; mixing gives > 1
    assert [e.passes for e in reports[0].evaluations] == [1] * 8
    assert [e.passes for e in reports[1].evaluations] == [2] * 8
    assert reports[1].executed == 2 * reports[0].executed and reports[1].misses == 0


def test_cond_and_uncond_of_different_lengths(model, tiny):
    reports = []
    patched = attach(model, BlockDanceMethod(), reports.append)
    first, second = (sample(patched, tiny, negative_tokens=7) for _ in range(2))
    assert torch.equal(first, second) and torch.isfinite(first).all()
    assert reports[0].misses == 0 and reports[0].reused == 2


def test_a_batch_and_another_size_afterwards(model, tiny):
    patched = attach(model, BlockDanceMethod())
    alone = sample(patched, tiny)
    sample(patched, tiny, batch=3)
    assert torch.equal(sample(patched, tiny), alone)


def test_two_patches_of_one_model_do_not_meet(model, tiny):
    two, three = attach(model, BlockDanceMethod(N=2)), attach(model, BlockDanceMethod(N=3))
    expected = sample(two, tiny), sample(three, tiny)
    assert not torch.equal(*expected)
    assert all(map(torch.equal, expected, (sample(two, tiny), sample(three, tiny))))


def test_a_patch_replaces_the_one_before(model, tiny, caplog):
    caplog.set_level(logging.INFO)
    reports = []
    once = attach(model, BlockDanceMethod(N=3), reports.append)
    twice = attach(attach(model, BlockDanceMethod(N=2), reports.append), BlockDanceMethod(N=3), reports.append)
    assert "replaces" in caplog.text
    assert torch.equal(sample(once, tiny), sample(twice, tiny))
    assert len(reports) == 2


class Failure(Exception):
    pass


@pytest.mark.parametrize("error", [None, Failure, comfy.model_management.InterruptProcessingException])
def test_nothing_outlives_a_run(model, tiny, runs, error, monkeypatch):
    before = sample(model, tiny)
    patched = attach(model, BlockDanceMethod())
    block = chain_of(model.model.diffusion_model).blocks[-1]
    calls = []

    def interrupt(*_):
        calls.append(1)
        if error and len(calls) == 6:
            raise error
    hook = block.register_forward_pre_hook(interrupt)
    if error:
        with pytest.raises(error):
            sample(patched, tiny)
    else:
        sample(patched, tiny)
    hook.remove()
    gc.collect()
    assert len(runs) == 1 and runs[0]() is None
    assert not any("forward" in block.__dict__ for block in chain_of(model.model.diffusion_model).blocks)
    assert "blockdance" not in model.model_options["transformer_options"]
    assert "blockdance" not in patched.model_options["transformer_options"]
    assert torch.equal(sample(model, tiny), before)


def test_an_error_that_somebody_keeps_does_not_keep_the_cache(runs):
    """Its traceback holds the run."""
    model, calls = FLUX.build(), []

    def interrupt(*_):
        calls.append(1)
        if len(calls) == 2:  # in an evaluation that reuses
            raise Failure
    chain_of(model.model.diffusion_model).blocks[-1].register_forward_pre_hook(interrupt)
    with pytest.raises(Failure) as kept:
        sample(attach(model, DeltaCacheMethod()), FLUX)
    run = runs[0]()
    assert kept.tb and run.report.cache_bytes > 0 and run.cache_bytes == 0


def test_image_to_image_starts_inside_the_window(model, tiny):
    """The structure is there already: the first step anchors, the second reuses."""
    reports = []
    sample(attach(model, BlockDanceMethod(), reports.append), tiny, steps=6, denoise=.5)
    assert reports[0].plan.reused_steps[0] == 1


@pytest.mark.parametrize("method", [
    DeltaCacheMethod(N=3, first_block=1, n_cached=4), DeltaCacheMethod(kind=Kind.FEATURE), DeltaDiTMethod(),
    DeltaDiTMethod(N=4, b=.3, n_cached=5), DeltaDiTMethod(budget=.4),
], ids=lambda method: method.name)
def test_every_method_is_executed_as_planned(model, tiny, method):
    """Spans across the border of Flux's stacks included."""
    counter, reports = Counter(model), []
    patched = attach(model, method, reports.append)
    first = sample(patched, tiny, steps=11)
    report, = reports
    assert report.executed == counter.executed == report.plan.computed_blocks(len(counter.blocks)) < report.total
    assert report.misses == 0 and torch.isfinite(first).all()
    assert torch.equal(sample(patched, tiny, steps=11), first)


@pytest.mark.parametrize("steps", [1, 4])
def test_few_steps_run_unmodified_and_say_so(model, tiny, steps):
    reports = []
    full = sample(model, tiny, steps=steps)
    assert torch.equal(sample(attach(model, BlockDanceMethod(), reports.append), tiny, steps=steps), full)
    assert "too few" in reports[0].line()


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "dpmpp_2s_ancestral", "heunpp2", "dpm_adaptive", "uni_pc"])
def test_samplers_with_their_own_rhythm(sampler):
    model, reports = PIXART.build(), []
    counter = Counter(model)
    picture = sample(attach(model, BlockDanceMethod(), reports.append), PIXART, sampler=sampler)
    assert torch.isfinite(picture).all()
    assert reports[0].executed == counter.executed < reports[0].total


def test_a_block_index_that_does_not_exist():
    with pytest.raises(ValueError, match=r"block_index is 99.*PixArtMS.* 8 blocks.*0 to 7"):
        attach(PIXART.build(), BlockDanceMethod(block_index=99))


def test_every_block_index_works():
    model = FLUX.build()
    for index in range(8):
        reports = []
        sample(attach(model, BlockDanceMethod(block_index=index), reports.append), FLUX)
        assert reports[0].total - reports[0].executed == 2 * (index + 1)


def test_a_u_net_is_refused_by_name():
    model = PIXART.build()
    model.model.diffusion_model = type("UNetModel", (torch.nn.Module,), {})()
    with pytest.raises(ValueError, match=r"UNetModel.*Delta-Cache Patch \(U-Net\)"):
        attach(model, BlockDanceMethod())
