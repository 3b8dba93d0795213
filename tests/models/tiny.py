"""Tiny random-weight instances of ComfyUI's own diffusion models, and ways to run them."""

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Callable, ContextManager

import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.supported_models as supported
import comfyui_version
import pytest
import torch

from blockdance.blockdance_core.comfy.models import dit_xl2 as dit

CPU = torch.device("cpu")
# Buffers that have no value before a checkpoint is loaded
LOADED = ("pos_embed", "y_embedding", "positive_conditioning", "negative_conditioning", "beta")


@dataclass(frozen=True)
class Tiny:
    """A model class with its configuration, and the shapes of what it is called with.

    others: what it is called with besides, for a batch of one; weights: names that the class wants to see in the
    checkpoint; shrunk: active while the model is made, for sizes that ComfyUI does not leave to the configuration.
    """
    model: type | None  # None in a ComfyUI that does not have it
    config: dict
    latent: tuple[int, ...]
    conditions: dict[str, tuple[int, ...]]  # shapes of the tensors that apply_model takes beside the latent
    control: Callable[[], dict] = dict  # residuals as a ControlNet would give them, made anew for each pass
    constants: dict[str, float] = field(default_factory=dict)
    others: Callable[[], dict] = dict
    weights: Callable[[], dict] = dict
    shrunk: Callable[[], ContextManager] = nullcontext

    def build(self) -> comfy.model_patcher.ModelPatcher:
        if self.model is None:
            pytest.skip(f"ComfyUI {comfyui_version.__version__} does not have this model")
        config = self.model(self.config)
        config.unet_config.update(self.config)
        config.set_inference_dtype(torch.float32, None)
        with self.shrunk():
            model = _fill(config.get_model(self.weights(), "", device=CPU))
        return comfy.model_patcher.ModelPatcher(model, load_device=CPU, offload_device=CPU)

    def of_depth(self, depth: int) -> "Tiny":
        return replace(self, config=self.config | {"depth": depth})

    def noise(self, batch: int = 1) -> torch.Tensor:
        return seeded(batch, *self.latent, seed=1)

    def inputs(self, batch: int = 1, seed: int = 2) -> dict[str, torch.Tensor]:
        tensors = {name: seeded(batch, *shape, seed=seed + number)
                   for number, (name, shape) in enumerate(self.conditions.items())}
        constants = {name: torch.tensor([value] * batch) for name, value in self.constants.items()}
        return tensors | constants | self.others()

    def conditioning(self, seed: int, tokens: int | None = None) -> list:
        """As CLIPTextEncode gives it; `tokens` for another prompt length."""
        shape = list(self.conditions["c_crossattn"])
        shape[0] = tokens or shape[0]
        extra = {}
        if "y" in self.conditions:
            extra["pooled_output"] = seeded(1, *self.conditions["y"], seed=seed + 1)
        return [[seeded(1, *shape, seed=seed), extra]]


def newer(name: str) -> type | None:
    """A model class that older releases of ComfyUI do not have, by its name in supported_models."""
    return getattr(supported, name, None)


def seeded(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _fill(model: torch.nn.Module) -> torch.nn.Module:
    """ComfyUI allocates parameters without values; give each a seeded one."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = .05 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(scale + (1 if parameter.ndim == 1 and name.endswith("weight") else 0))
        for name, buffer in model.named_buffers():
            if name.endswith("inv_freq"):
                buffer.copy_(10000 ** -torch.linspace(0, 1, buffer.numel()))
            elif buffer.is_floating_point() and name.split(".")[-1] in LOADED:
                buffer.copy_(.05 * torch.randn(buffer.shape, generator=generator))
    return model


def residuals(tokens: int, input_blocks: int, output_blocks: int, width: int) -> dict:
    """What a ControlNet gives to the blocks of the first and of the second stack."""
    return {"input": [seeded(1, tokens, width, seed=50 + i) for i in range(input_blocks)],
            "output": [seeded(1, tokens, width, seed=70 + i) for i in range(output_blocks)]}


PIXART = Tiny(
    supported.PixArtSigma,
    dict(image_model="pixart_sigma", num_heads=4, hidden_size=64, depth=8, patch_size=2, in_channels=4,
         micro_condition=False, model_max_length=20, caption_channels=32, input_size=16, pe_interpolation=1),
    latent=(4, 40, 40), conditions={"c_crossattn": (20, 32)})

SD3 = Tiny(
    supported.SD3,
    dict(in_channels=16, patch_size=2, out_channels=16, depth=2, num_blocks=6, input_size=None, adm_in_channels=32,
         context_embedder_config={"target": "torch.nn.Linear", "params": {"in_features": 48, "out_features": 128}},
         num_patches=32 * 32, pos_embed_max_size=32, pos_embed_scaling_factor=None, qk_norm="rms",
         x_block_self_attn_layers=[0, 1]),
    latent=(16, 16, 16), conditions={"c_crossattn": (12, 48), "y": (32,)},
    control=lambda: residuals(64, 0, 6, 128))

FLUX = Tiny(
    supported.Flux,
    dict(image_model="flux", guidance_embed=True, axes_dim=[4, 14, 14], num_heads=2, mlp_ratio=2., theta=10000,
         out_channels=16, in_channels=16, qkv_bias=True, txt_ids_dims=[], hidden_size=64, context_in_dim=24,
         patch_size=2, vec_in_dim=16, depth=3, depth_single_blocks=5),
    latent=(16, 16, 16), conditions={"c_crossattn": (12, 24), "y": (16,)},
    control=lambda: residuals(64, 3, 5, 64), constants={"guidance": 3.5})


class ClassConditional(Tiny):
    def conditioning(self, seed: int, tokens: int | None = None) -> list:
        return dit.conditioning(label=seed)


DIT = ClassConditional(
    dit.DiTConfig,
    dict(input_size=16, patch_size=2, in_channels=4, out_channels=8, hidden_size=64, depth=8, num_heads=4,
         num_classes=30),
    latent=(4, 16, 16), conditions={"c_crossattn": (1, 1)}, constants={"y": 3})

MODELS = {"pixart": PIXART, "sd3": SD3, "flux": FLUX, "dit": DIT}


def apply_model(patcher, tiny: Tiny, percent: float = .5, control: dict | None = None, batch: int = 1,
                options: dict | None = None) -> torch.Tensor:
    """One pass of the model itself, outside any sampling."""
    sigma = torch.tensor([float(patcher.get_model_object("model_sampling").percent_to_sigma(percent))] * batch)
    transformer_options = {"sigmas": sigma, "sample_sigmas": torch.tensor([float(sigma[0]), 0.]),
                           "cond_or_uncond": [0], "uuids": ["test"]} | (options or {})
    inputs = tiny.inputs(batch)
    patcher.pre_run()
    with torch.no_grad():
        return patcher.model.apply_model(tiny.noise(batch), sigma, inputs.pop("c_concat", None),
                                         inputs.pop("c_crossattn"), control, transformer_options, **inputs)


def sample(patcher, tiny: Tiny, steps: int = 8, sampler: str = "euler", scheduler: str = "simple", cfg: float = 3.,
           denoise: float = 1., negative_tokens: int | None = None, seed: int = 4, batch: int = 1,
           positive: list | None = None, negative: list | None = None) -> torch.Tensor:
    """A run of ComfyUI's own KSampler on random prompts."""
    return comfy.sample.sample(
        patcher, tiny.noise(batch), steps, cfg, sampler, scheduler, positive or tiny.conditioning(10),
        negative or tiny.conditioning(20, negative_tokens), torch.zeros(batch, *tiny.latent), denoise=denoise,
        disable_pbar=True, seed=seed)
