"""What the multiply-accumulates of a run leave out: kernels that are no operators of torch, and models that
torch.compile has changed."""

from typing import Sequence

import comfy.ldm.modules.attention
import comfy.ops
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY
from torch.nn import Module

from .messages import Messages

_SEEN = {"attention_pytorch", "attention_basic", "attention_split", "attention_sub_quad"}  # those of torch's operators


def modules_of(diffusion_model: Module) -> list[Module]:
    """All modules, once a run: Module.modules() takes several times as long."""
    found = [diffusion_model]
    for module in found:
        found.extend([child for child in module._modules.values() if child is not None])
    return found


def is_compiled(modules: Sequence[Module], transformer_options: dict) -> bool:
    """Whether torch.compile has its hand in this pass: under a MacCounter it would compile anew, or not at all."""
    wrappers = transformer_options.get("wrappers", {}).get(WrappersMP.APPLY_MODEL, {})
    return COMPILE_KEY in wrappers or any(
        module._compiled_call_impl is not None or "_orig_mod" in module._modules for module in modules)


def unseen_attention() -> str | None:
    """ComfyUI's attention, where its kernel is not made of torch's operators."""
    name = comfy.ldm.modules.attention.optimized_attention.__name__
    return None if name in _SEEN else name


def unseen_linear(modules: Sequence[Module]) -> str | None:
    """The linear layers whose kernel is no operator of torch: int8 ones on a GPU that take the activation before them
    along, as ComfyUI has them from 0.33 on."""
    fused = hasattr(comfy.ops, "linear_input_act") and any(
        getattr(weight, "_layout_cls", "") == "TensorWiseINT8Layout" and weight.device.type != "cpu"
        for module in modules for weight in module._parameters.values())
    return "int8 linear layers that take an activation along" if fused else None


def can_count(diffusion_model: Module, transformer_options: dict, messages: Messages) -> bool:
    """Whether multiply-accumulates can be counted; what cannot is noted."""
    if not isinstance(diffusion_model, Module):  # an engine calls no operators
        return False
    modules = modules_of(diffusion_model)
    if is_compiled(modules, transformer_options):
        messages.leave_out("a model that torch.compile has changed")
        return False
    if "optimized_attention_override" in transformer_options:  # of flex_attention a MacCounter makes an error
        messages.leave_out("a model with another node's attention")
        return False
    for unseen in (unseen_attention(), unseen_linear(modules)):
        if unseen:
            messages.leave_out(f"{unseen}, whose kernel is no operator of torch")
    return True
