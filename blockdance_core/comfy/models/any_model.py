"""Every model that ComfyUI can sample, for methods that look at outputs alone: at worst as a single block."""

from torch.nn import Module

from ...engine.blocks import Chain
from ...engine.hidden_state import Contract
from ...plan.plan import Transformer
from .architectures import Family, chain_of, transformer_of
from .stacks import UnsupportedModel, uncompiled


def _chain_of(diffusion_model: Module) -> Chain:
    try:
        return chain_of(diffusion_model)
    except UnsupportedModel:
        return Chain((diffusion_model,), (Contract(("x",), (0,), guessed=True),), (1,))


def _transformer_of(diffusion_model: Module) -> Transformer:
    try:
        return transformer_of(diffusion_model)
    except UnsupportedModel:
        return Transformer(type(uncompiled(diffusion_model)).__name__, (1,))


ANYTHING = Family(_chain_of, _transformer_of)
