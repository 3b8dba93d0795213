"""A demo model in the numbers that people's models have: bfloat16, and linear layers in float8 or int8.

Quantised layers are ComfyUI's own (comfy.ops.mixed_precision_ops), loaded as from a quantised checkpoint, with a scale
for each weight. They run on a CPU, too, where nothing is faster by them: what is shown is what their rounding costs.
"""

import json
from pathlib import Path

import comfy.ops
import comfy.quant_ops
import torch
from comfy.model_patcher import ModelPatcher
from torch.nn import Linear, Module

from ...blockdance_core.comfy.models.architectures import chain_of
from ...demo import model
from .setting import PRECISIONS

FORMATS = {"fp8": "float8_e4m3fn", "int8": "int8_tensorwise"}  # ComfyUI's names


def load(weights: Path, precision: str = "float32") -> ModelPatcher:
    """The model in a weights file of the demo, in one of PRECISIONS."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; use one of {', '.join(PRECISIONS)}")
    patcher = model.load(weights)
    if precision == "float32":
        return patcher
    diffusion_model = patcher.model.diffusion_model
    diffusion_model.to(torch.bfloat16)
    diffusion_model.dtype = torch.bfloat16  # which the host casts the latent to
    if precision in FORMATS:
        for block in chain_of(diffusion_model).blocks:
            _quantise(block, FORMATS[precision])
    return patcher


def _quantise(block: Module, format: str) -> None:
    """Put ComfyUI's quantised layers in the place of a block's linear ones."""
    operations = comfy.ops.mixed_precision_ops(compute_dtype=torch.bfloat16)
    for parent in list(block.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, Linear):
                setattr(parent, name, _quantised(layer, format, operations))


def _quantised(layer: Linear, format: str, operations: type) -> Module:
    layout = comfy.quant_ops.get_layout_class(comfy.quant_ops.QUANT_ALGOS[format]["comfy_tensor_layout"])
    recalculated = {"scale": "recalculate"} if format == FORMATS["fp8"] else {}
    values, params = layout.quantize(layer.weight.detach(), **recalculated)
    bias = layer.bias is not None
    quantised = operations.Linear(layer.in_features, layer.out_features, bias=bias, dtype=layer.weight.dtype)
    described = torch.tensor(list(json.dumps({"format": format}).encode()), dtype=torch.uint8)
    quantised.load_state_dict({"weight": values, "weight_scale": params.scale, "comfy_quant": described}
                              | ({"bias": layer.bias.detach()} if bias else {}))
    return quantised.requires_grad_(False)
