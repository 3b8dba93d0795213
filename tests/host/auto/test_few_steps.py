"""Image-to-image in seven steps, as second passes and refiners have it: measured, and faster from the second run on."""

from pathlib import Path

import comfy.sample
import pytest
import torch
from comfy.model_patcher import ModelPatcher

from blockdance import demo
from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.demo import model
from blockdance.lab.benchmarks.captions import MEASURED, captions_of
from blockdance.tests.host.auto.test_experts import psnr

WEIGHTS = Path(demo.__file__).with_name("weights") / "flux_pictures.safetensors"
CAPTIONS = captions_of(WEIGHTS)
STEPS, DENOISE = 7, .4


def draw(patched: ModelPatcher, steps: int, caption: int, begun: torch.Tensor | None = None) -> torch.Tensor:
    scene = CAPTIONS.scenes(caption + 1, MEASURED)[-1]
    positive, negative = (CAPTIONS.conditioning([some]) for some in (scene, None))
    latent = torch.zeros(1, *CAPTIONS.latent) if begun is None else begun
    return comfy.sample.sample(
        patched, comfy.sample.prepare_noise(latent, caption), steps, CAPTIONS.base.cfg, "euler", "simple", positive,
        negative, latent, denoise=1. if begun is None else DENOISE, disable_pbar=True, seed=caption)


@pytest.fixture(scope="module")
def loaded() -> ModelPatcher:
    return model.load(WEIGHTS)


def test_the_next_second_pass_is_faster_and_closer_than_one_of_fewer_steps(loaded):
    measured: list[Kernel] = []

    def keep(quantity: Quantity, kernel: Kernel) -> str:
        measured.append(kernel)
        return "kept"
    auto = attach(loaded, AutoMethod(2., lambda *_: measured[0] if measured else None, general, keep), family=ANY_MODEL)
    closer = []
    for caption in range(4):
        first = draw(loaded, 10, caption)
        full = draw(loaded, STEPS, caption, first)
        found = draw(auto, STEPS, caption, first)
        if not caption:
            assert torch.equal(found, full) and len(measured) == 1
            continue
        assert len(last_report(auto).evaluations) == STEPS and last_report(auto).reused == 3
        closer.append(psnr(found, full) - psnr(draw(loaded, 4, caption, first), full))
    assert sum(closer) / len(closer) > 8, closer
