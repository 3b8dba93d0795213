"""The demo models as ComfyUI MODELs, from weights files of train.py."""

import json
from pathlib import Path

import comfy.model_management
import numpy as np
import torch
from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from safetensors import safe_open
from safetensors.torch import load_file

from .architectures import OF_ALL_WORLDS, Architecture
from .text_encoder import TextEncoder

TEXT = "text."  # before the names of the text encoder's weights, which are stored with the model's


def build(architecture: Architecture, config: dict, operations=None) -> BaseModel:
    """ComfyUI's model with these dimensions, in float32 and with weights that nobody has set.

    `operations` are ComfyUI's own unless given; training takes torch.nn.
    """
    host_config = architecture.host_config(config)
    host_config.unet_config = dict(config, dtype=torch.float32)  # without the defaults that the host adds for U-Nets
    host_config.latent_format = architecture.latent_format()
    host_config.sampling_settings = architecture.sampling
    host_config.manual_cast_dtype = None
    host_config.custom_operations = operations
    return architecture.host_model(host_config, model_type=architecture.model_type)


def pooled(tokens: torch.Tensor) -> torch.Tensor:
    """The vector that MMDiTs get besides the tokens, (B, CHANNELS) from (B, TOKENS, CHANNELS): their mean, which says
    how much there is of what, but not what belongs together."""
    return tokens.mean(1)


def beside(model: BaseModel, noisy: torch.Tensor) -> torch.Tensor:
    """A noisy latent (B, 3, ...) with the channels that the host puts beside it for this model, if any."""
    channels = model.concat_cond(noise=noisy, device=noisy.device)
    return noisy if channels is None else torch.cat([noisy, channels], 1)


def conditioning(embeddings: np.ndarray) -> list:
    """ComfyUI's CONDITIONING for caption embeddings (B, TOKENS, CHANNELS)."""
    return conditioning_of(torch.from_numpy(embeddings))


def conditioning_of(tokens: torch.Tensor) -> list:
    """ComfyUI's CONDITIONING for what a text encoder says, (B, TOKENS, CHANNELS)."""
    return [[tokens, {"pooled_output": pooled(tokens)}]]


def pixels(latent: torch.Tensor) -> torch.Tensor:
    """Pictures (B, S, S, 3) or videos (B, F, S, S, 3) in [0, 1] from what a model draws, (B, 3, ...)."""
    return (latent.clamp(-1, 1) / 2 + .5).movedim(1, -1)


def architecture_of(path: Path) -> Architecture:
    """The architecture of a weights file of train.py. Raises ValueError when the file is none."""
    return _described(path)[0]


def load(path: Path) -> ModelPatcher:
    """The model in a weights file of train.py as a ComfyUI MODEL, run in float32.

    Raises ValueError when the file is no such file or does not hold the weights that its configuration asks for.
    """
    architecture, config = _described(path)
    weights = {name: value.float() for name, value in load_file(path).items() if not name.startswith(TEXT)}
    model = build(architecture, config)
    missing, unexpected = model.diffusion_model.load_state_dict(weights, strict=False)
    if wrong := [*(set(missing) - architecture.unsaved), *unexpected]:
        raise ValueError(f"{path} does not fit its own configuration; missing or unexpected: {', '.join(wrong[:5])}")
    return ModelPatcher(
        model, comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device())


def load_text_encoder(path: Path) -> TextEncoder:
    """The text encoder that was trained with the model in a weights file of picture world.

    Raises ValueError when the file has none.
    """
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    if "words" not in metadata:
        raise ValueError(f"{path} has no text encoder: it is no model of picture world")
    weights = {name.removeprefix(TEXT): value.float() for name, value in load_file(path).items()
               if name.startswith(TEXT)}
    encoder = TextEncoder(json.loads(metadata["words"]), *weights["position"].shape)
    encoder.load_state_dict(weights)
    return encoder.requires_grad_(False)


def _described(path: Path) -> tuple[Architecture, dict]:
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    if "config" not in metadata:
        raise ValueError(f"{path} has no 'config' in its metadata: not a weights file of `python -m demo.train`")
    name = metadata.get("architecture", "pixart")
    if name not in OF_ALL_WORLDS:
        raise ValueError(f"{path} is of architecture {name!r}; known: {', '.join(OF_ALL_WORLDS)}")
    return OF_ALL_WORLDS[name], json.loads(metadata["config"])
