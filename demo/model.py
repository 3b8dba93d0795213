"""The demo PixArt: its configuration, and how ComfyUI's own classes are built from it.

ComfyUI detects PixArt at its full width only, so the demo brings this loader; everything else is the host's.
"""

import json
from pathlib import Path

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.supported_models
import torch
from comfy.ldm.pixart.pixartms import PixArtMS
from comfy.model_patcher import ModelPatcher
from safetensors import safe_open

from . import world

CONFIG = {
    "image_model": "pixart_sigma", "input_size": world.SIZE, "patch_size": 4, "in_channels": 3, "hidden_size": 128,
    "depth": 28, "num_heads": 2, "pred_sigma": False, "caption_channels": world.CHANNELS,
    "model_max_length": world.TOKENS, "micro_condition": False, "pe_interpolation": 1,
}
OPTIONAL = {"y_embedder.y_embedding"}  # a buffer that only caption dropout reads


def build(config: dict, operations, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    """ComfyUI's PixArtMS for training; sampling goes through load()."""
    arguments = {name: value for name, value in config.items() if name != "image_model"}
    return PixArtMS(**arguments, class_dropout_prob=0., operations=operations, dtype=dtype)


def load(path: Path) -> ModelPatcher:
    """The model in a weights file of train.py as a ComfyUI MODEL, run in float32.

    Raises ValueError when the file is no such file or does not hold the weights that its configuration asks for.
    """
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        weights = {name: file.get_tensor(name).float() for name in file.keys()}
    if "config" not in metadata:
        raise ValueError(f"{path} has no 'config' in its metadata: not a weights file of `python -m demo.train`")
    config = comfy.supported_models.PixArtSigma(json.loads(metadata["config"]))
    config.latent_format = comfy.latent_formats.ChromaRadiance()  # pixels: three channels, full size
    config.sampling_settings = {"shift": 1.0}
    config.manual_cast_dtype = None
    config.unet_config["dtype"] = torch.float32
    model = comfy.model_base.PixArt(config, model_type=comfy.model_base.ModelType.FLOW)
    missing, unexpected = model.diffusion_model.load_state_dict(weights, strict=False)
    if wrong := [*(set(missing) - OPTIONAL), *unexpected]:
        raise ValueError(f"{path} does not fit its own configuration; missing or unexpected: {', '.join(wrong[:5])}")
    return ModelPatcher(
        model, comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device())
