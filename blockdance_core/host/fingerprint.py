"""What a profile knows its model by, and what it was measured with."""

import comfyui_version
import torch
from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import CONST

from .. import __version__
from ..auto.profile import Fingerprint
from .anything import ANYTHING


def fingerprint_of(model: ModelPatcher) -> Fingerprint:
    diffusion_model = model.model.diffusion_model
    transformer = ANYTHING.transformer_of(diffusion_model)
    return Fingerprint(transformer.name, transformer.stacks, sum(p.numel() for p in diffusion_model.parameters()),
                       isinstance(model.get_model_object("model_sampling"), CONST))


def versions() -> dict[str, str]:
    return {"comfyui": comfyui_version.__version__, "blockdance": __version__, "torch": str(torch.__version__)}
