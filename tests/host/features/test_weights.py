"""Weights that are patched, switched during sampling, or spread over several devices."""

from functools import partial

import comfy.hooks
import pytest
import torch
from comfy.model_management import InterruptProcessingException
from comfy.weight_adapter.bypass import BypassInjectionManager
from comfy.weight_adapter.lora import LoRAAdapter

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.tests.models.tiny import FLUX, sample, seeded
from blockdance.tests.trial import OFF, TINIES, Trial, distance, guided_by, leftovers

METHOD = DeltaCacheMethod(N=2, n_cached=3)
LAYERS = {"double_blocks.0.img_mlp.0": (128, 64), "single_blocks.4.linear2": (64, 192)}  # in the span and behind it


def lora(rank: int = 2) -> dict[str, LoRAAdapter]:
    return {f"diffusion_model.{layer}": LoRAAdapter(set(), (
        seeded(rows, rank, seed=1), seeded(rank, columns, seed=2), None, None, None, None))
        for layer, (rows, columns) in LAYERS.items()}


def patched_weights(model):
    clone = model.clone()
    keys = clone.add_patches({f"{layer}.weight": adapter for layer, adapter in lora().items()}, .3)
    assert len(keys) == 2
    return clone


def bypassed(model):
    """As LoraLoaderBypass does it: the layers get an instance forward for the time that the model is loaded."""
    clone, manager = model.clone(), BypassInjectionManager()
    for layer, adapter in lora().items():
        manager.add_adapter(layer, adapter, .3)
    clone.set_injections("bypass", manager.create_injections(clone.model))
    return clone


@pytest.mark.parametrize("prepare", [patched_weights, bypassed])
def test_lora(prepare):
    plain = Trial(FLUX).sample(partial(sample, tiny=FLUX), METHOD)
    changed = Trial(FLUX, prepare).check(partial(sample, tiny=FLUX), METHOD, bound=.3)
    assert not torch.allclose(changed, plain)


def hooked(*keyframes: tuple[float, float]) -> list:
    """A prompt with a LoRA whose strength changes: (strength, start percent)."""
    weights = {f"diffusion_model.{layer}.diff": .1 * seeded(*shape, seed=3) for layer, shape in LAYERS.items()}
    group, schedule = comfy.hooks.create_hook_lora(weights, 1., 0.), comfy.hooks.HookKeyframeGroup()
    for strength, start in keyframes:
        schedule.add(comfy.hooks.HookKeyframe(strength, start_percent=start))
    group.set_keyframes_on_hooks(schedule)
    return comfy.hooks.set_hooks_for_conditioning(FLUX.conditioning(10), group)


def test_a_hook_that_changes_the_weights():
    """Step 5 of 8 is to reuse, but the weights are others since step 4."""
    trial = Trial(FLUX)
    sampling = partial(sample, tiny=FLUX, positive=hooked((1., 0.), (0., .6)))
    trial.check(sampling, METHOD, bound=.3)
    report, = trial.reports
    assert report.plan.reused_steps == (1, 3, 5, 7)
    changed = [evaluation.step for evaluation in report.evaluations if evaluation.misses]
    assert changed == [5] and report.evaluations[5].passes == 2
    assert report.evaluations[5].misses == 1, "the negative, which has no hook, can reuse"


def test_hooks_on_one_condition_do_not_reach_the_other():
    trial = Trial(FLUX, guided_by("uncond"))
    with_hook, without = (trial.sample(partial(sample, tiny=FLUX, positive=positive), METHOD)
                          for positive in (hooked((1., 0.), (.2, .5)), FLUX.conditioning(10)))
    torch.testing.assert_close(with_hook, without, rtol=1e-4, atol=1e-5)  # batches round differently


def two_devices(tiny):
    """ComfyUI's split of cond and uncond over two GPUs; `cpu` and `cpu:0` are two devices to it."""
    def prepare(model):
        main = model.clone()
        main.cached_patcher_init = tiny.build, ()
        other = main.deepclone_multigpu(torch.device("cpu:0"))
        other.is_multigpu_base_clone = True
        main.set_additional_models("multigpu", [other])
        return main
    return prepare


@pytest.mark.parametrize("tiny", TINIES)
def test_conditions_split_over_two_devices(tiny):
    """Two threads run two models through the same run."""
    split, reports = two_devices(tiny)(tiny.build()), []
    full = sample(split, tiny)
    torch.testing.assert_close(full, sample(tiny.build(), tiny), rtol=1e-2, atol=1e-2)  # batches round differently
    assert torch.equal(sample(attach(split, OFF), tiny), full)
    patched = attach(split, METHOD, reports.append)
    reused = sample(patched, tiny)
    assert 0 < distance(reused, full) < .3
    assert all(torch.equal(sample(patched, tiny), reused) for _ in range(3))
    for report in reports:
        assert all(evaluation.passes == 2 for evaluation in report.evaluations) and report.misses == 0
        assert report.executed == 2 * report.plan.computed_blocks(report.transformer.depth)
    assert not any(leftovers(model) for model in (split, *split.get_additional_models_with_key("multigpu")))


def test_an_error_on_one_device_ends_the_run():
    split = two_devices(FLUX)(FLUX.build())
    other, = split.get_additional_models_with_key("multigpu")
    calls = []

    def fail(*_):
        calls.append(1)
        if len(calls) == 4:
            raise InterruptProcessingException
    other.model.diffusion_model.single_blocks[-1].register_forward_pre_hook(fail)
    with pytest.raises(InterruptProcessingException):
        sample(attach(split, METHOD), FLUX)
    assert not leftovers(split) and not leftovers(other)
