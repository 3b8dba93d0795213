"""What a profile knows its model by."""

from comfy.model_patcher import ModelPatcher

from ..auto.profile import Fingerprint
from .attach import is_flow
from .models.any_model import ANYTHING


def fingerprint_of(model: ModelPatcher) -> Fingerprint:
    diffusion_model = model.model.diffusion_model
    transformer = ANYTHING.transformer_of(diffusion_model)
    return Fingerprint(transformer.name, transformer.stacks, sum(p.numel() for p in diffusion_model.parameters()),
                       is_flow(model.get_model_object("model_sampling")))
