"""U-Nets as chains of layers, for the method that skips their inside.

The children of each input, middle and output block, in execution order: ComfyUI calls them one by one, with the hidden
state as first argument. A cached step still runs ComfyUI's own loop over the blocks, so skip connections, ControlNet
residuals, block patches and the numbers of the attention layers stay right outside the span.
"""

from typing import Iterator

import torch

from ...engine.blocks import Chain, Contract
from ...methods.unet import UNet
from .architectures import Family
from .detection import UnsupportedModel, uncompiled

_LAYER = Contract(names=(None,), positions=(0,))


def _blocks(diffusion_model: torch.nn.Module) -> Iterator[list[torch.nn.Module]]:
    """The layers of each block. Raises UnsupportedModel."""
    model = uncompiled(diffusion_model)
    if not any(ancestor.__name__ == "UNetModel" for ancestor in type(model).__mro__):
        raise UnsupportedModel(
            f"{type(model).__name__} is no U-Net that this patch knows; it supports those of SD1.5, SD2 and SDXL. "
            "For a diffusion transformer use BlockDance Patch or Delta-Cache Patch.")
    middle = () if model.middle_block is None else (model.middle_block,)
    for block in (*model.input_blocks, *middle, *model.output_blocks):
        yield list(uncompiled(block))


def _chain(diffusion_model: torch.nn.Module) -> Chain:
    layers = tuple(layer for block in _blocks(diffusion_model) for layer in block)
    return Chain(layers, (_LAYER,) * len(layers), (len(layers),))


def _unet(diffusion_model: torch.nn.Module) -> UNet:
    stacks, channels, now = [], [], 0
    for block in _blocks(diffusion_model):
        for layer in block:
            now = getattr(uncompiled(layer), "out_channels", now)  # attention has none and keeps what comes in
        stacks.append(len(block))
        channels.append(now)
    return UNet(type(uncompiled(diffusion_model)).__name__, tuple(stacks), tuple(channels))


UNETS = Family(_chain, _unet)
