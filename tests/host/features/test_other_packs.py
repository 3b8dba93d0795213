"""What nodes of other packs do to a model in the middle of sampling, written after them: none of it costs the picture,
and nothing wrong is measured or reused."""

import copy
from unittest import mock

import comfy.model_patcher
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_easycache import EasyCacheNode
from torch.nn.attention.flex_attention import flex_attention

from blockdance.blockdance_core.auto.method import AutoMethod, measured_as
from blockdance.blockdance_core.comfy.attach import attach, fingerprint_of, last_report
from blockdance.blockdance_core.comfy.full_runs import FullRuns
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.blockdance_core.comfy.probe import attach_probe
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.method import Off
from blockdance.tests.host.features.test_samplers import custom
from blockdance.tests.models.tiny import FLUX, sample
from blockdance.tests.trial import distance, leftovers

METHODS = [Off(), BlockDanceMethod(), AutoMethod(2., lambda *_: None)]


def attached(model, method):
    return attach(model, method, family=ANY_MODEL)


def measuring(kept: list) -> AutoMethod:
    return AutoMethod(2., lambda *_: None, save=lambda *found: kept.append(found) or "kept")


def copying_options(model):
    """Perturbed guidance that evaluates once more, by options of its own that are copied."""
    def before_cfg(args):
        options = copy.deepcopy(args["model_options"])
        options["transformer_options"]["patches"] = {}
        again, = comfy.samplers.calc_cond_batch(args["model"], [args["conds"][0]], args["input"], args["timestep"],
                                                options)
        return [args["conds_out"][0] + .1 * (args["conds_out"][0] - again), *args["conds_out"][1:]]
    patched = model.clone()
    patched.set_model_sampler_pre_cfg_function(before_cfg)
    return patched


@pytest.mark.parametrize("method", METHODS)
def test_options_that_are_copied_in_mid_run(method):
    model = copying_options(FLUX.build())
    accelerated = attached(model, method)
    result, full = sample(accelerated, FLUX), sample(model, FLUX)
    assert not last_report(accelerated).failures and distance(result, full) < .1
    assert torch.equal(result, full) == (method == Off())


def test_options_that_are_copied_while_blocks_are_probed():
    model = copying_options(FLUX.build())
    assert torch.equal(sample(attach_probe(model), FLUX), sample(model, FLUX))


@pytest.mark.parametrize("method", METHODS)
def test_attention_by_an_operator_that_calls_another(method):
    """flex_attention is one of torch's higher-order operators, which do not work wherever operators are counted."""
    def attention(func, q, k, v, heads, mask=None, attn_precision=None, skip_reshape=False, skip_output_reshape=False,
                  **_):
        if not skip_reshape:
            q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # (B, H, T, D)
        out = flex_attention(q.contiguous(), k.contiguous(), v.contiguous())
        return out if skip_output_reshape else out.transpose(1, 2).flatten(2)
    model = FLUX.build()
    model.model_options["transformer_options"]["optimized_attention_override"] = attention
    full = sample(model, FLUX, steps=4)
    for _ in range(2):
        accelerated = attached(model, method)
        assert distance(sample(accelerated, FLUX, steps=4), full) < .5
        assert not last_report(accelerated).failures


class Engine:
    """A model that is no module, as a compiled engine."""
    dtype = torch.float32

    def __init__(self, inner):
        self._inner = inner

    def __call__(self, *args, **kwargs):
        return self._inner(*args, **kwargs)


def test_an_engine_in_place_of_the_model():
    patcher = FLUX.build()
    full = sample(patcher, FLUX)
    inner = patcher.model.diffusion_model
    del patcher.model.diffusion_model
    patcher.model.diffusion_model = Engine(inner)
    assert torch.equal(sample(attached(patcher, Off()), FLUX), full)
    accelerated = attached(patcher, AutoMethod(2., lambda *_: None))
    assert 0 < distance(sample(accelerated, FLUX, steps=12), sample(patcher, FLUX, steps=12)) < .5
    report = last_report(accelerated)
    assert report.reused == 6 and report.executed * 2 == report.total and not report.failures
    assert "Flux" in fingerprint_of(patcher).name and "Engine" in fingerprint_of(patcher).name


def test_blocks_that_another_cache_has_put_in_place_of_the_models_are_not_measured():
    model, kept = FLUX.build(), []
    transformer = model.model.diffusion_model

    class Cached(torch.nn.Module):
        def forward(self, img, txt, **others):
            for block in blocks:
                img, txt = block(img=img, txt=txt, **others)
            return img, txt
    blocks, in_place = transformer.double_blocks, torch.nn.ModuleList([Cached()])

    def wrapper(apply_model, args):
        with mock.patch.object(transformer, "double_blocks", in_place):
            return apply_model(args["input"], args["timestep"], **args["c"])
    model.set_model_unet_function_wrapper(wrapper)
    accelerated = attached(model, measuring(kept))
    assert torch.equal(sample(accelerated, FLUX, steps=12), sample(model, FLUX, steps=12))
    assert not kept and "nothing was measured" in last_report(accelerated).line()


def test_a_run_that_another_cache_has_shortened_is_no_full_run():
    seen, model = FullRuns(), FLUX.build()
    easy, = EasyCacheNode.execute(model, reuse_threshold=9., start_percent=0., end_percent=1., verbose=False).args
    plain, cached = attached(model, Off()), attached(easy, Off())
    for patched in (plain, cached):
        sample(patched, FLUX, steps=12)
        seen.see(last_report(patched))
    short = last_report(cached)
    assert 0 < short.executed < last_report(plain).executed and short.macs == short.total_macs
    assert last_report(plain).is_full and not short.is_full
    skipped = sum(not evaluation.total for evaluation in short.evaluations)
    assert skipped and f"skipped {skipped} of 12" in short.headline
    assert seen.seconds(last_report(plain)) == pytest.approx(max(last_report(plain).warm_seconds, 1e-6))


@pytest.mark.parametrize("shift", [1.58, 2.66, 4.03, 8.06])
def test_shifts_at_which_rounding_begins_above_pure_noise(shift):
    from comfy_extras.nodes_model_advanced import ModelSamplingSD3
    model, kept = ModelSamplingSD3().patch(FLUX.build(), shift, 1.)[0], []
    first = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 12)[0]
    assert 1 < first < 1 + 1e-6
    sample(attached(model, measuring(kept)), FLUX, steps=12)
    (quantity, kernel), = kept
    accelerated = attached(model, AutoMethod(2., measured_as(quantity, kernel)))
    sample(accelerated, FLUX, steps=12)
    assert last_report(accelerated).reused == 6 and not last_report(accelerated).failures


@pytest.mark.parametrize("method", METHODS)
def test_sigmas_that_rise_by_rounding_after_falling_by_it(method):
    sigmas = torch.tensor([1, .9, .7, .5000001, .5, .5000002, .3, .1, 0])
    euler, model = comfy.samplers.sampler_object("euler"), FLUX.build()
    accelerated = attached(model, method)
    assert distance(custom(accelerated, euler, sigmas, 3.), custom(model, euler, sigmas, 3.)) < .5
    assert not last_report(accelerated).failures and leftovers(model) == leftovers(FLUX.build())


@pytest.mark.parametrize("method", [DeltaCacheMethod(), BlockDanceMethod(N=2, start=0., end=1.)])
def test_guidance_that_evaluates_a_prompt_again_never_gets_what_the_other_prompt_stored(method):
    """Self-attention guidance evaluates the negative prompt once more. Where both prompts have an area, and the host
    batches them at one step and not at the next, passes of the two look alike."""
    model, calls = FLUX.build(), []

    def result(positive: int) -> torch.Tensor:
        def guidance(args):
            again, = comfy.samplers.calc_cond_batch(args["model"], [args["uncond"]], args["input"], args["sigma"],
                                                    args["model_options"])
            calls.append(1)
            return args["denoised"] + .3 * (args["denoised"] - again)
        guided = model.clone()
        guided.set_model_sampler_cfg_function(lambda args: args["uncond"])  # nothing of the positive prompt
        guided.set_model_sampler_post_cfg_function(guidance)
        calls.clear()
        area = [[FLUX.conditioning(positive)[0][0], FLUX.conditioning(positive)[0][1] | {"area": (8, 8, 0, 0)}]]
        memory = mock.patch.object(comfy.model_patcher.ModelPatcher, "get_free_memory",
                                   lambda *_: 10 ** 12 if len(calls) % 2 else 0)
        with memory:
            return sample(attached(guided, method), FLUX, steps=8, cfg=3., positive=area,
                          negative=FLUX.conditioning(20))
    assert torch.equal(result(10), result(510))
