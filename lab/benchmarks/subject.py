"""A demo model, sampled as ComfyUI samples it, with everything that is measured on the way."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import comfy.sample
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher

from ...blockdance_core.comfy.models.architectures import transformer_of
from ...demo import model, video, world
from .setting import Setting
from .work import Work, WorkCounter

MEASURED, CALIBRATION = 20_000_000, 30_000_000  # seeds of captions; training draws its scenes from fresh entropy


Scene = world.Scene | video.Scene


@dataclass(frozen=True)
class Drawing:
    """latents: (B, 3, H, W) or (B, 3, T, H, W); seconds: wall clock; cpu: seconds of computing, which other programs
    on the machine hardly change."""
    latents: torch.Tensor
    seconds: float
    cpu: float
    work: Work


class Subject:
    """One loaded model. `patcher` is what methods are put on."""

    def __init__(self, weights: Path):
        self.name = weights.stem
        self.patcher = model.load(weights)
        self._world = model.architecture_of(weights).world
        self.depth = transformer_of(self.patcher.model.diffusion_model).depth
        self._counter = WorkCounter(self.patcher)
        self._counter.measure(lambda: self._sample(self.patcher, Setting(steps=1), self.scenes(1), 0, None))

    def scenes(self, count: int, of: int = MEASURED) -> list[Scene]:
        """The first captions of a set; more of them begin with the same ones."""
        rng = np.random.default_rng(of)
        return [self._world.random_scene(rng) for _ in range(count)]

    def draw(self, patched: ModelPatcher, setting: Setting, captions: list[Scene], seed: int,
             on_step: Callable[[], None] | None = None) -> Drawing:
        """One run with a batch of these captions."""
        self._counter.restart()
        wall, cpu = time.perf_counter(), time.process_time()
        latents = self._sample(patched, setting, captions, seed, on_step)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return Drawing(latents, time.perf_counter() - wall, time.process_time() - cpu, self._counter.read())

    def _sample(self, patched: ModelPatcher, setting: Setting, captions: list[Scene], seed: int,
                on_step: Callable[[], None] | None) -> torch.Tensor:
        positive = model.conditioning(np.stack([self._world.embed(scene) for scene in captions]))
        negative = model.conditioning(self._world.embed(None)[None])
        latent = torch.zeros(len(captions), *self._world.LATENT)
        noise = comfy.sample.prepare_noise(latent, seed)
        patched = patched.clone()
        if not setting.together:
            patched.get_free_memory = lambda *_: 0  # then ComfyUI takes the conditions one by one
        return comfy.sample.sample(
            patched, noise, setting.steps, setting.cfg, setting.sampler, setting.scheduler, positive, negative, latent,
            disable_pbar=True, seed=seed, callback=on_step and (lambda *_: on_step()))
