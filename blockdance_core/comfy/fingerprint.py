"""What a profile knows its model by, and what it was measured with."""

import comfyui_version
import torch
from comfy.model_patcher import ModelPatcher

from .. import __version__
from ..auto.profile import Fingerprint
from .attach import is_flow
from .models.any_model import ANYTHING


def fingerprint_of(model: ModelPatcher) -> Fingerprint:
    diffusion_model = model.model.diffusion_model
    transformer = ANYTHING.transformer_of(diffusion_model)
    return Fingerprint(transformer.name, transformer.stacks, sum(p.numel() for p in diffusion_model.parameters()),
                       is_flow(model.get_model_object("model_sampling")))


def versions() -> dict[str, str]:
    return {"comfyui": comfyui_version.__version__, "blockdance": __version__, "torch": str(torch.__version__)}
