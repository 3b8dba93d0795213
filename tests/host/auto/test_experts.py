"""Two experts, one for much noise and one for little, sampled one after the other: the demo's trained model at shift 5
in 20 steps, 10 each, and the same with other weights as the second expert."""

import math
from pathlib import Path

import comfy.model_sampling
import comfy.sample
import numpy as np
import pytest
import torch
from comfy.model_patcher import ModelPatcher

from blockdance import demo
from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import Profile, general
from blockdance.blockdance_core.auto.profile_library import Library
from blockdance.blockdance_core.comfy.attach import attach, fingerprint_of, last_report, versions
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.blockdance_core.comfy.weights_digest import weights_digest
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.demo import model, world

WEIGHTS = Path(demo.__file__).with_name("weights") / "pixart.safetensors"
SHIFT, STEPS, CFG, OTHER = 5., 20, 3., .02  # OTHER: by how much the second expert's weights differ


class Sampling(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
    pass


def expert(seed: int | None = None) -> ModelPatcher:
    patcher = model.load(WEIGHTS)
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        for parameter in patcher.model.diffusion_model.parameters():
            parameter.data *= 1 + OTHER * torch.randn(parameter.shape, generator=generator)
    sampling = Sampling(patcher.model.model_config)
    sampling.set_parameters(shift=SHIFT, multiplier=patcher.get_model_object("model_sampling").multiplier)
    patcher.add_object_patch("model_sampling", sampling)
    return patcher


def draw(experts: list[ModelPatcher], steps: int, caption: int) -> torch.Tensor:
    """As two nodes KSampler (Advanced) do: the first leaves its noise, the second goes on from it."""
    positive, negative = (model.conditioning(world.embed(scene)[None])
                          for scene in (world.random_scene(np.random.default_rng(caption)), None))
    latent, half = torch.zeros(1, *world.LATENT), steps // 2
    noise = comfy.sample.prepare_noise(latent, caption)
    for patcher, first, last, fresh in zip(experts, (0, half), (half, steps), (noise, torch.zeros_like(noise))):
        latent = comfy.sample.sample(
            patcher, fresh, steps, CFG, "euler", "simple", positive, negative, latent, start_step=first,
            last_step=last, force_full_denoise=last == steps, disable_noise=first > 0, disable_pbar=True, seed=caption)
    return latent


def psnr(latent: torch.Tensor, full: torch.Tensor) -> float:
    return -10 * math.log10(float((latent - full).square().mean()) / 4)


class Auto:
    """BlockDance Auto in front of an expert."""

    def __init__(self, patcher: ModelPatcher, library: Library):
        self._known, self._weights, self._library = fingerprint_of(patcher), weights_digest(patcher), library
        self.patched = attach(patcher, AutoMethod(2., self.kernel, general, self.save), family=ANY_MODEL)

    def kernel(self, quantity: Quantity, times: tuple[float, ...]) -> Kernel | None:
        found = self._library.find(self._known, quantity, times, self._weights)
        return found and found.kernel

    def save(self, quantity: Quantity, kernel: Kernel) -> str:
        self._library.add(Profile(self._known, quantity, kernel, 1, {}, versions(), weights=self._weights))
        return "kept"


@pytest.fixture(scope="module")
def experts() -> list[ModelPatcher]:
    return [expert(), expert(seed=1)]


def test_the_first_workflow_measures_both_and_the_next_is_closer_than_fewer_steps(experts, tmp_path):
    library = Library((tmp_path,))

    def sample(caption: int) -> tuple[torch.Tensor, list[int]]:
        """With nodes that are executed anew; returns how many evaluations each expert computed, too."""
        patched = [Auto(patcher, library).patched for patcher in experts]
        latent = draw(patched, STEPS, caption)
        return latent, [sum(not evaluation.reuse for evaluation in last_report(each).evaluations) for each in patched]
    first, computed = sample(caption=1)
    assert computed == [10, 10] and torch.equal(first, draw(experts, STEPS, caption=1))
    assert len(library.names()) == 2
    captions, closer = range(2, 8), []
    for caption in captions:
        full = draw(experts, STEPS, caption)
        fast, computed = sample(caption)
        assert computed == [5, 5]
        closer.append(psnr(fast, full) - psnr(draw(experts, STEPS // 2, caption), full))
    assert sum(closer) / len(captions) >= 8, closer
    assert len(library.names()) == 2
