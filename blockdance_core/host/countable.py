"""Where multiply-accumulates cannot be counted, or not all of them."""

import comfy.ldm.modules.attention
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY
from torch.nn import Module

_SEEN = {"attention_pytorch", "attention_basic", "attention_split", "attention_sub_quad"}  # those of torch's operators


def is_compiled(diffusion_model: Module, transformer_options: dict) -> bool:
    """Whether torch.compile has its hand in this pass: under a meter it would compile anew, or not at all."""
    wrappers = transformer_options.get("wrappers", {}).get(WrappersMP.APPLY_MODEL, {})
    return COMPILE_KEY in wrappers or any(
        "_orig_mod" in module._modules or module._compiled_call_impl is not None
        for module in diffusion_model.modules())


def unseen_attention(transformer_options: dict) -> str | None:
    """The attention of ComfyUI or of a node, where its kernel is not made of torch's operators."""
    if "optimized_attention_override" in transformer_options:
        return "the attention that another node has put in"
    name = comfy.ldm.modules.attention.optimized_attention.__name__
    return None if name in _SEEN else name
