"""What the multiply-accumulates of a run leave out: kernels that are no operators of torch, and models that
torch.compile has changed."""

import comfy.ldm.modules.attention
import comfy.ops
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY
from torch.nn import Module

from .messages import Messages

_SEEN = {"attention_pytorch", "attention_basic", "attention_split", "attention_sub_quad"}  # those of torch's operators


def is_compiled(diffusion_model: Module, transformer_options: dict) -> bool:
    """Whether torch.compile has its hand in this pass: under a MacCounter it would compile anew, or not at all."""
    wrappers = transformer_options.get("wrappers", {}).get(WrappersMP.APPLY_MODEL, {})
    if COMPILE_KEY in wrappers:
        return True
    left = [diffusion_model]
    while left:  # once a run; Module.modules() takes several times as long
        module = left.pop()
        if "_orig_mod" in module._modules or module._compiled_call_impl is not None:
            return True
        left += [child for child in module._modules.values() if child is not None]
    return False


def unseen_attention(transformer_options: dict) -> str | None:
    """The attention of ComfyUI or of a node, where its kernel is not made of torch's operators."""
    if "optimized_attention_override" in transformer_options:
        return "the attention that another node has put in"
    name = comfy.ldm.modules.attention.optimized_attention.__name__
    return None if name in _SEEN else name


def unseen_linear(diffusion_model: Module) -> str | None:
    """The linear layers whose kernel is no operator of torch: int8 ones on a GPU that take the activation before them
    along, as ComfyUI has them from 0.33 on."""
    fused = hasattr(comfy.ops, "linear_input_act") and any(
        getattr(weight, "_layout_cls", "") == "TensorWiseINT8Layout" and weight.device.type != "cpu"
        for weight in diffusion_model.parameters())
    return "int8 linear layers that take an activation along" if fused else None


def can_count(diffusion_model: Module, transformer_options: dict, messages: Messages) -> bool:
    """Whether multiply-accumulates can be counted; what cannot is noted."""
    if is_compiled(diffusion_model, transformer_options):
        messages.leave_out("a model that torch.compile has changed")
        return False
    for unseen in (unseen_attention(transformer_options), unseen_linear(diffusion_model)):
        if unseen:
            messages.leave_out(f"{unseen}, whose kernel is no operator of torch")
    return True
