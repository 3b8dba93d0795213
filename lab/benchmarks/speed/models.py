"""ComfyUI's own models with random weights, of any size, as MODELs."""

from dataclasses import dataclass, replace
from typing import Callable

import comfy.model_management
import comfy.sample
import comfy.supported_models as supported
import torch
from comfy.model_patcher import ModelPatcher

from ....blockdance_core.comfy.models.architectures import chain_of
from .options import Options

SEED, SPREAD = 0, .02  # of the weights; their standard deviation


@dataclass(frozen=True)
class Size:
    """A model class, its dimensions, and the shapes of what it is sampled with.

    latent: channels and sides; context: tokens and width of a prompt; pooled: width of its vector, 0 for none; shared:
    the blocks of a stack have the weights of its first, which are many times larger than a cache of the CPU, so that
    it takes the time of the whole model and not its memory.
    """
    name: str
    model: type
    config: dict
    latent: tuple[int, ...]
    context: tuple[int, int]
    pooled: int = 0
    shared: bool = False

    def with_latent(self, height: int, width: int) -> "Size":
        return replace(self, latent=(self.latent[0], height, width))

    def build(self, dtype: torch.dtype = torch.float32) -> ModelPatcher:
        device = comfy.model_management.get_torch_device()
        config = self.model(self.config)
        config.unet_config.update(self.config)
        config.set_inference_dtype(dtype, None)
        model = config.get_model({}, "", device=device)
        if self.shared:
            share(model.diffusion_model)
        fill(model)
        return ModelPatcher(model, device, comfy.model_management.unet_offload_device())

    def sample(self, model: ModelPatcher, steps: int, batch: int = 1, prompts: int = 1, seed: int = 0,
               on_step: Callable | None = None, cfg: float = 1.) -> torch.Tensor:
        """A run of ComfyUI's KSampler with euler. Several prompts have a length each, so that each is a call of the
        model. on_step: is called during each step, after the model."""
        latent = torch.zeros(batch, *self.latent)
        generator = torch.Generator().manual_seed(seed)
        positive = [self._prompt(generator, number) for number in range(prompts)]
        return comfy.sample.sample(
            model, comfy.sample.prepare_noise(latent, seed), steps, cfg, "euler", "simple", positive, positive[:1],
            latent, callback=on_step, disable_pbar=True, seed=seed)

    def _prompt(self, generator: torch.Generator, more: int) -> list:
        tokens, width = self.context
        extra = {"pooled_output": torch.randn(1, self.pooled, generator=generator)} if self.pooled else {}
        return [torch.randn(1, tokens + more, width, generator=generator), extra]


def share(diffusion_model: torch.nn.Module) -> None:
    """Give the blocks of each stack the weights of its first."""
    chain, start = chain_of(diffusion_model), 0
    for count in chain.stacks:
        first, *others = chain.blocks[start:start + count]
        parameters = dict(first.named_parameters())
        for block in others:
            for name, parameter in block.named_parameters():
                path, _, attribute = name.rpartition(".")
                if name in parameters and parameters[name].shape == parameter.shape:  # SD3's last block is smaller
                    setattr(block.get_submodule(path), attribute, parameters[name])
        start += count


def fill(model: torch.nn.Module) -> None:
    """ComfyUI allocates parameters without values: give each a random one."""
    generators = {}
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.diffusion_model.named_buffers()):
            if not tensor.is_floating_point() or tensor.numel() == 0:
                continue
            if tensor.device not in generators:
                generators[tensor.device] = torch.Generator(tensor.device).manual_seed(SEED)
            tensor.normal_(0, SPREAD, generator=generators[tensor.device])
            if tensor.ndim == 1 and name.endswith("weight"):  # of a norm
                tensor.add_(1)


PIXART = Size(
    "PixArt", supported.PixArtSigma,
    dict(image_model="pixart_sigma", num_heads=16, hidden_size=1152, depth=28, patch_size=2, in_channels=4,
         micro_condition=False, model_max_length=120, caption_channels=4096, input_size=64, pe_interpolation=1),
    (4, 4, 64), (120, 4096))
SD3 = Size(
    "SD3", supported.SD3,
    dict(in_channels=16, patch_size=2, out_channels=16, depth=24, num_blocks=24, input_size=None, adm_in_channels=2048,
         context_embedder_config={"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 1536}},
         num_patches=192 * 192, pos_embed_max_size=192, pos_embed_scaling_factor=None),
    (16, 4, 64), (77, 4096), 2048, shared=True)
FLUX = Size(
    "Flux", supported.Flux,
    dict(image_model="flux", guidance_embed=True, axes_dim=[16, 56, 56], num_heads=24, mlp_ratio=4., theta=10000,
         out_channels=16, in_channels=16, qkv_bias=True, txt_ids_dims=[], hidden_size=3072, context_in_dim=4096,
         patch_size=2, vec_in_dim=768, depth=3, depth_single_blocks=6),
    (16, 4, 64), (64, 4096), 768, shared=True)
FULL_SIZE = {size.name: size for size in (PIXART, SD3, FLUX)}


def chosen(options: Options) -> list[Size]:
    """The models that the options ask for; on a GPU with weights of their own for each block."""
    return [replace(FULL_SIZE[name], shared=FULL_SIZE[name].shared and options.device == "cpu").with_latent(
        *options.latent) for name in options.models]


def narrow(depth: int, height: int = 4, width: int = 64) -> Size:
    """A PixArt of a width at which the work of a block is a small part of the time that its call takes."""
    return Size(
        f"{depth} blocks", supported.PixArtSigma,
        PIXART.config | dict(num_heads=2, hidden_size=16, depth=depth, caption_channels=16, model_max_length=32,
                             input_size=8),
        (4, height, width), (4, 16))
