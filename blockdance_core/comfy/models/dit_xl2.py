"""DiT, the class-conditional transformer of Peebles and Xie (arXiv 2212.09748), which ComfyUI itself does not have.

Modules and parameters carry the names of the authors' release (facebookresearch/DiT), so its files load as they are.
"""

import argparse
import math
from collections.abc import Mapping
from functools import partial

import comfy.latent_formats
import comfy.model_management
import comfy.utils
import torch
from comfy.conds import CONDRegular
from comfy.ldm.modules.attention import optimized_attention
from comfy.ldm.modules.diffusionmodules.mmdit import Mlp, PatchEmbed, TimestepEmbedder
from comfy.ldm.pixart.blocks import FinalLayer, modulate
from comfy.model_base import BaseModel, ModelType
from comfy.model_patcher import CoreModelPatcher, ModelPatcher
from comfy.ops import cast_to_input
from comfy.supported_models_base import BASE
from einops import rearrange

NULL_LABEL = -1
HEADS = {384: 6, 768: 12, 1024: 16, 1152: 16}  # of DiT-S, B, L and XL by their width; no weight shows it
_LABEL = "dit_class_label"
_PIXELS = 8  # per side of a latent position


class Attention(torch.nn.Module):
    def __init__(self, hidden_size: int, num_heads: int, operations, **tensors):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = operations.Linear(hidden_size, 3 * hidden_size, **tensors)
        self.proj = operations.Linear(hidden_size, hidden_size, **tensors)

    def forward(self, x, transformer_options):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return self.proj(optimized_attention(q, k, v, self.num_heads, transformer_options=transformer_options))


class Block(torch.nn.Module):
    def __init__(self, hidden_size: int, num_heads: int, operations, **tensors):
        super().__init__()
        self.norm1 = operations.LayerNorm(hidden_size, elementwise_affine=False, eps=1e-6, **tensors)
        self.attn = Attention(hidden_size, num_heads, operations, **tensors)
        self.norm2 = operations.LayerNorm(hidden_size, elementwise_affine=False, eps=1e-6, **tensors)
        self.mlp = Mlp(hidden_size, 4 * hidden_size, act_layer=partial(torch.nn.GELU, approximate="tanh"),
                       operations=operations, **tensors)
        self.adaLN_modulation = torch.nn.Sequential(
            torch.nn.SiLU(), operations.Linear(hidden_size, 6 * hidden_size, **tensors))

    def forward(self, x, condition, transformer_options):
        """x: (B, tokens, width); condition: (B, width)."""
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.adaLN_modulation(condition).chunk(6, 1)
        x = x + gate_attn.unsqueeze(1) * self.attn(modulate(self.norm1(x), shift_attn, scale_attn), transformer_options)
        return x + gate_mlp.unsqueeze(1) * self.mlp(modulate(self.norm2(x), shift_mlp, scale_mlp))


class DiT(torch.nn.Module):
    def __init__(self, input_size: int, patch_size: int, in_channels: int, out_channels: int, hidden_size: int,
                 depth: int, num_heads: int, num_classes: int, operations, dtype=None, device=None):
        super().__init__()
        tensors = dict(dtype=dtype, device=device)
        self.dtype = dtype
        self.input_size, self.patch_size, self.in_channels = input_size, patch_size, in_channels
        self.num_classes = num_classes
        self.x_embedder = PatchEmbed(None, patch_size, in_channels, hidden_size, operations=operations, **tensors)
        self.t_embedder = TimestepEmbedder(hidden_size, operations=operations, **tensors)
        self.y_embedder = torch.nn.ModuleDict(
            {"embedding_table": operations.Embedding(num_classes + 1, hidden_size, **tensors)})
        self.register_buffer("pos_embed", torch.empty(1, (input_size // patch_size) ** 2, hidden_size, **tensors))
        self.blocks = torch.nn.ModuleList(Block(hidden_size, num_heads, operations, **tensors) for _ in range(depth))
        self.final_layer = FinalLayer(hidden_size, patch_size, out_channels, operations=operations, **tensors)

    def forward(self, x, timesteps, context=None, y=None, transformer_options={}, **kwargs):
        """The predicted noise, of the shape of x; what a checkpoint predicts beside it, the variance, is left out.

        x: (B, channels, input_size, input_size); timesteps: (B,), 0 to 999; y: (B,) labels, num_classes for none.
        """
        self.check_size(x)
        x = self.x_embedder(x) + cast_to_input(self.pos_embed, x)
        condition = self.t_embedder(timesteps, x.dtype) + self.y_embedder["embedding_table"](y, out_dtype=x.dtype)
        for block in self.blocks:
            x = block(x, condition, transformer_options)
        x = rearrange(self.final_layer(x, condition), "b (h w) (p q c) -> b c (h p) (w q)",
                      h=self.input_size // self.patch_size, p=self.patch_size, q=self.patch_size)
        return x[:, :self.in_channels]

    def check_size(self, latent: torch.Tensor) -> None:
        """Raises ValueError for a size that the fixed position embedding does not have."""
        height, width = latent.shape[-2:]
        if (height, width) != (self.input_size, self.input_size):
            own = self.input_size * _PIXELS
            raise ValueError(f"The latent is {width * _PIXELS} x {height * _PIXELS} pixels, but this DiT checkpoint "
                             f"makes {own} x {own} only. Give the sampler a latent of that size.")


class ClassConditional(BaseModel):
    def __init__(self, model_config: "DiTConfig", device=None):
        super().__init__(model_config, ModelType.EPS, device=device, unet_model=DiT)

    def extra_conds(self, **kwargs):
        """Called before the first step, so wrong input costs no sampling. Raises ValueError."""
        self.diffusion_model.check_size(kwargs["noise"])
        if _LABEL not in kwargs:
            raise ValueError("DiT knows class labels and no text: connect 'DiT Class Label' to the sampler's positive "
                             f"and, with label {NULL_LABEL}, to its negative input.")
        label, classes = kwargs[_LABEL], self.diffusion_model.num_classes
        if not NULL_LABEL <= label < classes:
            raise ValueError(f"The class label is {label}, but this DiT checkpoint has {classes} classes: choose 0 to "
                             f"{classes - 1}, or {NULL_LABEL} for no class.")
        return {"y": CONDRegular(torch.tensor([classes if label == NULL_LABEL else label]))}


class DiTConfig(BASE):
    unet_extra_config = {}
    # "sqrt_linear" is linear in beta, which others call linear
    sampling_settings = {"beta_schedule": "sqrt_linear", "linear_start": 1e-4, "linear_end": .02, "timesteps": 1000}
    latent_format = comfy.latent_formats.SD15
    memory_usage_factor = .5  # PixArt's, which has the same shape

    def get_model(self, state_dict: Mapping, prefix: str = "", device=None) -> ClassConditional:
        return ClassConditional(self, device=device)


def conditioning(label: int) -> list:
    """A class as ComfyUI's CONDITIONING; NULL_LABEL for no class."""
    return [[torch.zeros(1, 1, 1), {_LABEL: label}]]  # the tensor stands where other nodes expect a prompt


def configuration(weights: Mapping[str, torch.Tensor]) -> dict:
    """The arguments of DiT that fit a state dict. Raises ValueError where it is not one of DiT."""
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items() if torch.is_tensor(tensor)}
    needed = ("x_embedder.proj.weight", "pos_embed", "y_embedder.embedding_table.weight", "final_layer.linear.weight")
    if missing := [name for name in needed if name not in shapes]:
        raise ValueError(f"not a class-conditional DiT checkpoint: it has no {', '.join(missing)}. Expected are the "
                         "names of facebookresearch/DiT, as in DiT-XL-2-256x256.pt.")
    patches, positions, table, output = (shapes[name] for name in needed)
    hidden_size, channels, patch_size = patches[:3]
    grid = math.isqrt(positions[1])
    if hidden_size not in HEADS or channels != 4 or grid ** 2 != positions[1]:
        raise ValueError(f"a DiT of width {hidden_size} with {channels} channels and {positions[1]} positions is not "
                         f"supported: the width must be one of {', '.join(map(str, HEADS))}, with 4 channels and a "
                         "square of positions.")
    return {
        "input_size": grid * patch_size, "patch_size": patch_size, "in_channels": channels,
        "out_channels": output[0] // patch_size ** 2, "hidden_size": hidden_size,
        "depth": len({name.split(".")[1] for name in shapes if name.startswith("blocks.")}),
        "num_heads": HEADS[hidden_size], "num_classes": table[0] - 1,
    }


def load(state_dict: Mapping, disable_dynamic: bool = False) -> ModelPatcher:
    """A ComfyUI MODEL of a checkpoint, bare or as training writes it (then its moving average).

    Raises ValueError when it is none of DiT, or lacks weights or has some too many.
    """
    weights = next((state_dict[name] for name in ("ema", "model") if name in state_dict), state_dict)
    config = DiTConfig(configuration(weights))
    device, offload_device = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    supported = config.supported_inference_dtypes
    dtype = comfy.model_management.unet_dtype(
        model_params=comfy.utils.calculate_parameters(weights), supported_dtypes=supported,
        weight_dtype=comfy.utils.weight_dtype(weights))
    config.set_inference_dtype(dtype, comfy.model_management.unet_manual_cast(dtype, device, supported))
    model = config.get_model(weights, device=offload_device)
    patcher_class = ModelPatcher if disable_dynamic else CoreModelPatcher
    patcher = patcher_class(model, load_device=device, offload_device=offload_device)
    missing, unexpected = model.diffusion_model.load_state_dict(weights, strict=False, assign=patcher.is_dynamic())
    if missing or unexpected:
        raise ValueError("no complete DiT checkpoint; missing or unexpected: "
                         f"{', '.join([*missing, *unexpected][:5])}")
    return patcher


def load_file(path: str, disable_dynamic: bool = False) -> ModelPatcher:
    """As load, from a file, with its path in the error."""
    with torch.serialization.safe_globals([argparse.Namespace]):  # training puts its options beside the weights
        state_dict = comfy.utils.load_torch_file(path, safe_load=True)
    try:
        patcher = load(state_dict, disable_dynamic)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    patcher.cached_patcher_init = load_file, (path,)
    return patcher
