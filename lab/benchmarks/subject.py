"""A demo model, sampled as ComfyUI samples it, with everything that is measured on the way."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import comfy.sample
import torch
from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import ModelSamplingFlux
from comfy_extras import nodes_model_advanced

from ...blockdance_core.comfy.models.architectures import transformer_of
from .captions import MEASURED, Scene, captions_of
from .precision import load
from .setting import Setting
from .work import Work, WorkCounter


@dataclass(frozen=True)
class Drawing:
    """latents: (B, 3, H, W) or (B, 3, T, H, W); seconds: wall clock; cpu: seconds of computing, which other programs
    on the machine hardly change."""
    latents: torch.Tensor
    seconds: float
    cpu: float
    work: Work


class Subject:
    """One loaded model. `patcher` is what methods are put on; base: the way of sampling that it is measured in first.
    """

    def __init__(self, weights: Path, precision: str = "float32"):
        self.name = weights.stem
        self.precision = precision
        self.patcher = load(weights, precision)
        self._captions = captions_of(weights)
        self.base = self._captions.base
        self.depth = transformer_of(self.patcher.model.diffusion_model).depth
        self._counter = WorkCounter(self.patcher)
        once = Setting(steps=1, precision=precision)
        self._counter.measure(lambda: self._sample(self.patcher, once, self.scenes(1), 0, None))

    def scenes(self, count: int, of: int = MEASURED) -> list[Scene]:
        """The first captions of a set; more of them begin with the same ones."""
        return self._captions.scenes(count, of)

    def draw(self, patched: ModelPatcher, setting: Setting, captions: list[Scene], seed: int,
             on_step: Callable[[], None] | None = None) -> Drawing:
        """One run with a batch of these captions. Raises ValueError for a setting of another precision."""
        if setting.precision != self.precision:
            raise ValueError(f"{self.name} is loaded in {self.precision}: load it in {setting.precision} for this")
        self._counter.restart()
        wall, cpu = time.perf_counter(), time.process_time()
        latents = self._sample(patched, setting, captions, seed, on_step)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return Drawing(latents, time.perf_counter() - wall, time.process_time() - cpu, self._counter.read())

    def _sample(self, patched: ModelPatcher, setting: Setting, captions: list[Scene], seed: int,
                on_step: Callable[[], None] | None) -> torch.Tensor:
        positive, negative = self._captions.conditioning(captions), self._captions.conditioning([None])
        latent = torch.zeros(len(captions), *self._captions.latent)
        noise = comfy.sample.prepare_noise(latent, seed)
        patched = patched.clone() if setting.shift is None else shifted(patched, setting.shift)
        if not setting.together:
            patched.get_free_memory = lambda *_: 0  # then ComfyUI takes the conditions one by one
        return comfy.sample.sample(
            patched, noise, setting.steps, setting.cfg, setting.sampler, setting.scheduler, positive, negative, latent,
            disable_pbar=True, seed=seed, callback=on_step and (lambda *_: on_step()))


def shifted(model: ModelPatcher, shift: float) -> ModelPatcher:
    """A clone whose schedules lean to high noise by this shift, as by ComfyUI's own nodes for it."""
    sampling = model.get_model_object("model_sampling")
    if isinstance(sampling, ModelSamplingFlux):  # which has the logarithm of it, for a size of picture
        logarithm = math.log(shift)
        return nodes_model_advanced.ModelSamplingFlux().patch(model, logarithm, logarithm, 1024, 1024)[0]
    return nodes_model_advanced.ModelSamplingSD3().patch(model, shift, sampling.multiplier)[0]
