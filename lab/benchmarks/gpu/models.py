"""ComfyUI's own models of full size with random weights, loaded by ComfyUI's loader from the weights alone."""

from dataclasses import dataclass, replace

import comfy.model_management as management
import comfy.sd
import comfy.supported_models as supported
import torch
from comfy.model_patcher import ModelPatcher

from ..speed import models as speed
from ..speed.models import SEED, SPREAD, Size


@dataclass(frozen=True)
class Case:
    """A model and how it is sampled: euler, simple. rounds: timed runs of each method; what: in words."""
    size: Size
    what: str
    steps: int
    cfg: float
    rounds: int


FLUX = replace(speed.FLUX, latent=(16, 128, 128), context=(512, 4096), shared=False,
               config=speed.FLUX.config | dict(depth=19, depth_single_blocks=38))
SD3 = replace(speed.SD3, latent=(16, 128, 128), context=(154, 4096), shared=False)
WAN = Size(
    "Wan", supported.WAN21_T2V,
    dict(image_model="wan2.1", model_type="t2v", freq_dim=256, dim=5120, ffn_dim=13824, num_heads=40, in_dim=16,
         out_dim=16, num_layers=40, patch_size=(1, 2, 2), window_size=(-1, -1), qk_norm=True, cross_attn_norm=True,
         eps=1e-6), (16, 5, 60, 104), (512, 4096))
FULL = {
    "Flux": Case(FLUX, "Flux.1-dev: 19 double and 38 single blocks of width 3072, 12 billion weights, 1024 x 1024",
                 10, 1., 2),
    "SD3": Case(SD3, "SD3 medium: 24 blocks of width 1536, 2 billion weights, 1024 x 1024", 10, 4.5, 2),
    "Wan": Case(WAN, "Wan 2.1 14B: 40 blocks of width 5120, 14 billion weights, 17 frames of 832 x 480", 8, 5., 1),
}
SMALL = {
    "Flux": Case(replace(FLUX, latent=(16, 8, 8), context=(8, 4096), config=FLUX.config | dict(
        hidden_size=256, num_heads=2, depth=2, depth_single_blocks=4)), "a small Flux", 8, 1., 2),
    "SD3": Case(replace(SD3, latent=(16, 8, 8), context=(8, 4096), config=SD3.config | dict(
        depth=4, num_blocks=4, context_embedder_config={
            "target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 256}})), "a small SD3",
        8, 4.5, 2),
    "Wan": Case(replace(WAN, latent=(16, 2, 8, 8), context=(8, 4096), config=WAN.config | dict(
        dim=256, ffn_dim=256, num_heads=2, num_layers=4)), "a small Wan", 8, 5., 1),
}


def shapes(size: Size) -> dict[str, torch.Tensor]:
    """Of all weights, by the names that they have in a file; without memory."""
    config = size.model(size.config)
    config.unet_config.update(size.config)
    config.set_inference_dtype(torch.bfloat16, None)
    return config.get_model({}, "", device=torch.device("meta")).diffusion_model.state_dict()


def weights(size: Size, device: torch.device) -> dict[str, torch.Tensor]:
    """Random ones, in bfloat16."""
    generator = torch.Generator(device).manual_seed(SEED)
    found = {}
    for name, shape in shapes(size).items():
        tensor = torch.empty(shape.shape, dtype=torch.bfloat16, device=device).normal_(0, SPREAD, generator=generator)
        if tensor.ndim == 1 and name.endswith(("weight", "scale")):  # of a norm
            tensor.add_(1)
        found[name] = tensor
    return found


def load(given: dict[str, torch.Tensor], dtype: torch.dtype, device: torch.device) -> ModelPatcher:
    """As the node Load Diffusion Model does it, straight to the device, which has room for all of it."""
    options = {"dtype": dtype, "load_device": device, "offload_device": device}
    try:
        with device:
            model = comfy.sd.load_diffusion_model_state_dict(dict(given), model_options=options)
    except (RuntimeError, TypeError, ValueError):  # by way of main memory, which takes longer
        model = comfy.sd.load_diffusion_model_state_dict(dict(given), model_options=options)
    if model is None:
        raise RuntimeError("ComfyUI does not know the model by these weights")
    return model


def device() -> torch.device:
    return management.get_torch_device()
