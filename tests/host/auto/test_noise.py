"""A sampler that adds noise, on the demo's Flux of emoji: what decides the picture is computed there, too."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch
from comfy.model_patcher import ModelPatcher

from blockdance import demo
from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.measurement import MeasureMethod
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.lab.benchmarks.captions import MEASURED
from blockdance.lab.benchmarks.subject import Subject
from blockdance.tests.host.auto.test_experts import psnr

WEIGHTS = Path(demo.__file__).with_name("weights") / "flux_pictures.safetensors"


def test_noise_does_not_wash_errors_away():
    """At 3x, in the mean of three captions after one was measured, in dB."""
    subject, measured = Subject(WEIGHTS), []
    scenes, loaded = subject.scenes(4, MEASURED), subject.patcher

    def draw(patched: ModelPatcher, caption: int, steps: int = 30) -> torch.Tensor:
        setting = replace(subject.base, sampler="euler_ancestral", steps=steps)
        return subject.draw(patched, setting, [scenes[caption]], caption).latents

    def keep(_, kernel: Kernel) -> str:
        measured.append(kernel)
        return "kept"
    draw(attach(loaded, MeasureMethod(keep), family=ANY_MODEL), 0)
    auto = attach(loaded, AutoMethod(3., lambda *_: measured[0], general), family=ANY_MODEL)
    gains = []
    for caption in (1, 2, 3):
        full = draw(loaded, caption)
        gains.append(psnr(draw(auto, caption), full) - psnr(draw(loaded, caption, 10), full))
    assert fmean(gains) > 6, gains
