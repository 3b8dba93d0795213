"""A sampler that adds noise, on the demo's Flux of emoji: what decides the picture is computed there, too."""

from pathlib import Path
from statistics import fmean

import comfy.sample
import torch
from comfy.model_patcher import ModelPatcher

from blockdance import demo
from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.measurement import MeasureMethod
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.demo import model
from blockdance.lab.benchmarks.captions import MEASURED, captions_of
from blockdance.tests.host.auto.test_experts import psnr

WEIGHTS = Path(demo.__file__).with_name("weights") / "flux_pictures.safetensors"
CAPTIONS = captions_of(WEIGHTS)
SCENES = CAPTIONS.scenes(4, MEASURED)


def draw(patched: ModelPatcher, caption: int, steps: int = 30) -> torch.Tensor:
    positive, negative = (CAPTIONS.conditioning([scene]) for scene in (SCENES[caption], None))
    latent = torch.zeros(1, *CAPTIONS.latent)
    return comfy.sample.sample(
        patched, comfy.sample.prepare_noise(latent, caption), steps, CAPTIONS.base.cfg, "euler_ancestral", "simple",
        positive, negative, latent, disable_pbar=True, seed=caption)


def test_noise_does_not_wash_errors_away():
    """At 3x, in the mean of three captions after one was measured, in dB."""
    loaded, measured = model.load(WEIGHTS), []

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
