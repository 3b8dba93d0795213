"""Calls of the model that come from elsewhere than from the sampler: within a block, around it, without options."""

import torch
from comfy.patcher_extension import WrappersMP

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.tests.models.tiny import FLUX, sample

METHOD = DeltaCacheMethod(N=2, n_cached=4)


def test_a_call_of_the_model_from_within_a_block():
    """It is answered by the model as it is, and is no part of what is stored."""
    answers, inside = [], []

    def asking(args, extra):
        if not inside:
            inside.append(1)
            inputs = FLUX.inputs()
            answers.append(model.model.apply_model(
                FLUX.noise(), torch.tensor([.5]), None, inputs.pop("c_crossattn"), None, args["transformer_options"],
                **inputs))
            inside.clear()
        return extra["original_block"](args)
    model = FLUX.build()
    reports, asked = [], model.clone()
    asked.set_model_patch_replace(asking, "dit", "double_block", 1)
    with_calls = sample(attach(asked, METHOD, reports.append), FLUX)
    assert torch.equal(with_calls, sample(attach(model, METHOD), FLUX))
    assert len(answers) == 8 and all(torch.equal(answer, answers[0]) for answer in answers)
    assert reports[0].misses == 0 and reports[0].executed == reports[0].plan.computed_blocks(8)


def test_calls_of_the_model_around_the_evaluations():
    """Before the first evaluation, or between two, there is no decision and nothing to count."""
    model, outputs = FLUX.build(), []

    def around_sampler(executor, guider, sigmas, extra_args, *args, **kwargs):
        inputs = FLUX.inputs()
        outputs.append(model.model.apply_model(
            FLUX.noise(), torch.tensor([.5]), None, inputs.pop("c_crossattn"), None,
            extra_args["model_options"]["transformer_options"], **inputs))
        return executor(guider, sigmas, extra_args, *args, **kwargs)
    model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "other", around_sampler)
    reports = []
    sample(attach(model, METHOD, reports.append), FLUX)
    assert len(outputs) == 1 and reports[0].total == 8 * 8


def test_evaluations_from_within_an_evaluation():
    """A guider that asks itself once more: one evaluation of two passes."""
    model, reports = FLUX.build(), []

    def twice(executor, x, timestep, *args, **kwargs):
        if inside:
            return executor(x, timestep, *args, **kwargs)
        inside.append(1)
        executor.class_obj.outer_predict_noise(x, timestep, *args, **kwargs)
        inside.clear()
        return executor(x, timestep, *args, **kwargs)
    inside: list = []
    patched = attach(model, METHOD, reports.append)
    patched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "other", twice)
    picture = sample(patched, FLUX)
    assert [(e.step, e.passes) for e in reports[0].evaluations] == [(step, 2) for step in range(8)]
    assert reports[0].misses == 0 and torch.equal(picture, sample(attach(model, METHOD), FLUX))


def test_a_denoiser_called_without_options():
    """Some samplers of other packs leave the options out."""
    model = FLUX.build()

    def bare(executor, x, timestep, *args, **kwargs):
        return executor(x, timestep, {}, None)
    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "other", bare)
    assert torch.equal(sample(attach(model, METHOD), FLUX, cfg=1.), sample(model, FLUX, cfg=1.))
