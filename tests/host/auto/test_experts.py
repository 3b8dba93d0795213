"""Two experts, one for much noise and one for little, sampled one after the other: the demo's trained model at shift 5
in 20 steps, 10 each, and the same with other weights as the second expert."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

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
CAPTIONS = range(2, 14)


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


def draw(experts: list[ModelPatcher], steps: int, captions: Sequence[int]) -> torch.Tensor:
    """A batch, as two nodes KSampler (Advanced) draw it: the first leaves its noise, the second goes on from it."""
    scenes = [world.embed(world.random_scene(np.random.default_rng(caption))) for caption in captions]
    positive, negative = (model.conditioning(embedded) for embedded in (np.stack(scenes), world.embed(None)[None]))
    latent, half = torch.zeros(len(captions), *world.LATENT), steps // 2
    noise = torch.cat([comfy.sample.prepare_noise(latent[:1], caption) for caption in captions])
    for patcher, first, last, fresh in zip(experts, (0, half), (half, steps), (noise, torch.zeros_like(noise))):
        latent = comfy.sample.sample(
            patcher, fresh, steps, CFG, "euler", "simple", positive, negative, latent, start_step=first,
            last_step=last, force_full_denoise=last == steps, disable_noise=first > 0, disable_pbar=True, seed=1)
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


@dataclass(frozen=True)
class Drawn:
    """Of the captions that are compared: in full, and how close as many steps come as are computed at 2x."""
    full: torch.Tensor
    fewer: list[float]


@pytest.fixture(scope="module")
def drawn(experts) -> Drawn:
    full = draw(experts, STEPS, CAPTIONS)
    return Drawn(full, list(map(psnr, draw(experts, STEPS // 2, CAPTIONS), full)))


@pytest.mark.parametrize("measured, closer", [(range(1, 2), 10), (range(20, 26), 11)], ids=["a picture", "a batch"])
def test_the_first_workflow_measures_both_and_the_next_is_closer_than_fewer_steps(
        experts, drawn, tmp_path, measured, closer):
    """In the mean of the captions, in dB."""
    library = Library((tmp_path,))

    def sample(captions: Sequence[int]) -> tuple[torch.Tensor, list[int]]:
        """With nodes that are executed anew; returns how many evaluations each expert computed, too."""
        patched = [Auto(patcher, library).patched for patcher in experts]
        latent = draw(patched, STEPS, captions)
        return latent, [sum(not evaluation.reuse for evaluation in last_report(each).evaluations) for each in patched]
    first, computed = sample(measured)
    assert computed == [10, 10] and torch.equal(first, draw(experts, STEPS, measured))
    assert len(library.names()) == 2
    fast, computed = sample(CAPTIONS)
    assert computed == [5, 5]
    gains = [psnr(*pair) - fewer for *pair, fewer in zip(fast, drawn.full, drawn.fewer)]
    assert sum(gains) / len(gains) >= closer, gains
    assert len(library.names()) == 2
