"""Other ways through a run than the sampler's and the schedule's own: fewer sigmas, or another solver."""

from itertools import count
from typing import Callable, Sequence

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy.samplers import KSAMPLER

from ....blockdance_core.comfy.attach import is_flow
from ....blockdance_core.plan.schedule import FlowTime

KEY = "benchmark solver"


def on_grid(model: ModelPatcher, sigmas: Sequence[float]) -> ModelPatcher:
    """A clone of the model that is sampled at these sigmas in place of the schedule's."""
    def sample(executor, noise, latent_image, sampler, given, *args, **kwargs):
        return executor(noise, latent_image, sampler, torch.tensor(sigmas).to(given), *args, **kwargs)
    return _wrapped(model, sample)


def solved(model: ModelPatcher, solver: Callable[..., torch.Tensor]) -> ModelPatcher:
    """A clone of the model that is sampled by solver(model, x, sigmas, extra_args, flow_time) in place of the sampler.
    """
    flow_time = FlowTime(is_flow(model.get_model_object("model_sampling")))

    def function(model, x, sigmas, extra_args=None, callback=None, disable=None):
        evaluations = count()

        def heard(x, sigma, **kwargs):
            denoised, number = model(x, sigma, **kwargs), next(evaluations)
            if callback is not None:
                callback({"x": x, "denoised": denoised, "i": number, "sigma": sigma, "sigma_hat": sigma})
            return denoised
        return solver(heard, x, sigmas, extra_args or {}, flow_time)

    def sample(executor, noise, latent_image, _, sigmas, *args, **kwargs):
        return executor(noise, latent_image, KSAMPLER(function), sigmas, *args, **kwargs)
    return _wrapped(model, sample)


def _wrapped(model: ModelPatcher, sample: Callable) -> ModelPatcher:
    patched = model.clone()
    patched.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, sample)
    return patched
