"""The demo models: one row for each architecture, all of ComfyUI's own classes at a small width.

ComfyUI detects these architectures at their full widths only, so the demo brings a loader (model.py); everything else
is the host's. train.py starts with a fraction of the blocks and splits them.
"""

from dataclasses import dataclass, replace
from types import ModuleType

import comfy.latent_formats
import comfy.model_base
import comfy.supported_models
import comfy.supported_models_base
import torch
from comfy.model_base import ModelType

from . import picture_world, video, world

WIDTH = 128


class VideoPixels(comfy.latent_formats.ChromaRadiance):
    """ChromaRadiance's three channels of pixels, in frames."""
    latent_dimensions = 3


class PlacedWan(comfy.model_base.WAN21):
    """Wan that also sees where each pixel is: its rotary embedding tells tokens only how far apart they are, so from
    noise alone it cannot know the place or the frame that a caption means."""

    def concat_cond(self, noise: torch.Tensor, **_) -> torch.Tensor:
        """Channels beside those of the latent, (B, PLACES, F, S, S)."""
        return torch.from_numpy(video.places()).to(noise).expand(len(noise), -1, -1, -1, -1)


@dataclass(frozen=True)
class Architecture:
    """How ComfyUI builds a model, and what its training must know about the names of its weights."""

    name: str
    config: dict  # of the diffusion model, at its full depth
    host_config: type[comfy.supported_models_base.BASE]
    host_model: type[comfy.model_base.BaseModel]
    model_type: ModelType
    sampling: dict  # how far its schedule leans to high noise, in training and in use
    depths: dict[str, str]  # list of blocks -> the entry of `config` that says how many
    outputs: tuple[str, ...]  # parts of a block that write to the residual stream
    zeros: tuple[str, ...]  # matrices that start at zero, so that every block is the identity and the output zero
    tables: tuple[str, ...] = ()  # learned offsets of the modulation, which start small
    attention: tuple[str, ...] = ()  # host modules whose `optimized_attention` training replaces
    unsaved: frozenset[str] = frozenset()  # buffers that only training reads
    world: ModuleType = world  # what it draws; latents are pixels
    latent_format: type[comfy.latent_formats.LatentFormat] = comfy.latent_formats.ChromaRadiance

    def divides_into(self, divisor: int) -> bool:
        """Whether every list of blocks can be `divisor` times shorter."""
        return all(self.config[entry] % divisor == 0 for entry in self.depths.values())

    def with_depth_divided(self, divisor: int) -> dict:
        """The configuration with `divisor` times fewer blocks in every list."""
        return self.config | {entry: self.config[entry] // divisor for entry in self.depths.values()}


PIXART = Architecture(
    name="pixart",
    config={
        "image_model": "pixart_sigma", "input_size": world.SIZE, "patch_size": world.PATCH, "in_channels": 3,
        "hidden_size": WIDTH, "depth": 28, "num_heads": 2, "pred_sigma": False, "caption_channels": world.CHANNELS,
        "model_max_length": world.TOKENS, "micro_condition": False, "pe_interpolation": 1},
    host_config=comfy.supported_models.PixArtSigma, host_model=comfy.model_base.PixArt, model_type=ModelType.FLOW,
    sampling={"shift": 1.0},
    depths={"blocks": "depth"},
    outputs=("attn.proj.", "cross_attn.proj.", "mlp.fc2."),
    zeros=("cross_attn.proj.weight", "t_block.1.weight", "final_layer.linear.weight"),
    tables=("scale_shift_table",),
    attention=("comfy.ldm.pixart.blocks",),
    unsaved=frozenset({"y_embedder.y_embedding"}))

FLUX = Architecture(
    name="flux",
    config={
        "image_model": "flux", "in_channels": 3, "out_channels": 3, "patch_size": world.PATCH, "hidden_size": WIDTH,
        "num_heads": 2, "mlp_ratio": 4.0, "depth": 8, "depth_single_blocks": 16, "vec_in_dim": world.CHANNELS,
        "context_in_dim": world.CHANNELS, "axes_dim": [16, 24, 24], "txt_ids_dims": [], "theta": 100,
        "qkv_bias": True, "guidance_embed": False},
    host_config=comfy.supported_models.Flux, host_model=comfy.model_base.Flux, model_type=ModelType.FLUX,
    sampling={"shift": 0.0},  # of the logarithm
    depths={"double_blocks": "depth", "single_blocks": "depth_single_blocks"},
    outputs=("img_attn.proj.", "img_mlp.2.", "txt_attn.proj.", "txt_mlp.2.", "linear2."),
    zeros=("img_mod.lin.weight", "txt_mod.lin.weight", "modulation.lin.weight", "adaLN_modulation.1.weight",
           "final_layer.linear.weight"),
    attention=("comfy.ldm.flux.math",))

SD3 = Architecture(
    name="sd3",
    config={
        "input_size": world.SIZE, "patch_size": world.PATCH, "in_channels": 3, "depth": WIDTH // 64, "num_blocks": 24,
        "mlp_ratio": 1.0, "adm_in_channels": world.CHANNELS, "context_embedder_config": {
            "target": "torch.nn.Linear", "params": {"in_features": world.CHANNELS, "out_features": WIDTH}},
        "qk_norm": "rms", "pos_embed_scaling_factor": None},
    host_config=comfy.supported_models.SD3, host_model=comfy.model_base.SD3, model_type=ModelType.FLOW,
    sampling={"shift": 1.0},
    depths={"joint_blocks": "num_blocks"},
    outputs=("x_block.attn.proj.", "x_block.mlp.fc2.", "context_block.attn.proj.", "context_block.mlp.fc2."),
    zeros=("adaLN_modulation.1.weight", "final_layer.linear.weight"),
    attention=("comfy.ldm.modules.diffusionmodules.mmdit",))

WAN = Architecture(
    name="wan",
    config={
        "image_model": "wan2.1", "model_type": "t2v", "patch_size": list(video.PATCH),
        "in_dim": 3 + video.PLACES, "out_dim": 3, "dim": WIDTH, "ffn_dim": 4 * WIDTH, "freq_dim": 256,
        "text_dim": video.CHANNELS, "text_len": video.TOKENS, "num_heads": 2, "num_layers": 24,
        "cross_attn_norm": True},
    host_config=comfy.supported_models.WAN21_T2V, host_model=PlacedWan, model_type=ModelType.FLOW,
    sampling={"shift": 3.0},  # the frames repeat each other, so only high noise hides what a video shows
    depths={"blocks": "num_layers"},
    outputs=("self_attn.o.", "cross_attn.o.", "ffn.2."),
    zeros=("cross_attn.o.weight", "time_projection.1.weight", "head.head.weight"),
    tables=("modulation",),
    attention=("comfy.ldm.wan.model",),
    world=video, latent_format=VideoPixels)

ARCHITECTURES = {row.name: row for row in (PIXART, FLUX, SD3, WAN)}

PIXART_PICTURES = replace(
    PIXART, name="pixart_pictures", world=picture_world, config=PIXART.config | {
        "input_size": picture_world.SIZE, "patch_size": picture_world.PATCH,
        "caption_channels": picture_world.CHANNELS, "model_max_length": picture_world.TOKENS})

FLUX_PICTURES = replace(
    FLUX, name="flux_pictures", world=picture_world, config=FLUX.config | {
        "patch_size": picture_world.PATCH, "vec_in_dim": picture_world.CHANNELS,
        "context_in_dim": picture_world.CHANNELS})

PICTURES = {row.name: row for row in (PIXART_PICTURES, FLUX_PICTURES)}

OF_ALL_WORLDS = ARCHITECTURES | PICTURES
