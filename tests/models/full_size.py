"""ComfyUI's own models at their published size, on the meta device: shapes and costs without weights."""

from dataclasses import dataclass
from typing import Callable

import comfy.ops
import torch
from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.ldm.pixart.pixartms import PixArtMS

from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.blockdance_core.comfy.models.unet import UNETS
from blockdance.blockdance_core.engine.blocks import Chain
from blockdance.blockdance_core.engine.macs import Cost, count
from blockdance.blockdance_core.methods.unet import UNet
from blockdance.blockdance_core.plan.plan import Plan

META = dict(device="meta", dtype=torch.bfloat16, operations=comfy.ops.disable_weight_init)
PASSES = 2  # cond and uncond, as both papers count a step


@dataclass(frozen=True)
class FullSize:
    chain: Chain
    forward: Callable[[], torch.Tensor]  # one pass of cond and uncond together

    def cost(self, linear_only: bool) -> Cost:
        return count(self.forward, self.chain.blocks, linear_only)


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(PASSES, *shape, device="meta", dtype=torch.bfloat16)


def pixart(latent: int = 128, caption_tokens: int = 120) -> FullSize:
    """PixArt-alpha XL/2; a latent of 128 is a picture of 1024 x 1024."""
    model = PixArtMS(**META).eval()
    inputs = _empty(4, latent, latent), _empty(), _empty(caption_tokens, 4096)
    return FullSize(chain_of(model), lambda: model(*inputs))


def sd3(latent: int = 128, context_tokens: int = 77 + 256) -> FullSize:
    """SD3 medium: 24 blocks of width 1536, the CLIP tokens followed by those of T5."""
    context = {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 1536}}
    model = OpenAISignatureMMDITWrapper(
        input_size=None, depth=24, num_blocks=24, patch_size=2, in_channels=16, out_channels=16, adm_in_channels=2048,
        context_embedder_config=context, num_patches=192 * 192, pos_embed_max_size=192, pos_embed_scaling_factor=None,
        **META).eval()
    inputs = dict(x=_empty(16, latent, latent), timesteps=_empty(), context=_empty(context_tokens, 4096),
                  y=_empty(2048))
    return FullSize(chain_of(model), lambda: model(**inputs))


def sd15(latent: int = 64, context_tokens: int = 77) -> tuple[FullSize, UNet]:
    """Stable Diffusion 1.5; a latent of 64 is a picture of 512 x 512."""
    model = UNetModel(
        image_size=32, in_channels=4, out_channels=4, model_channels=320, num_res_blocks=[2, 2, 2, 2],
        channel_mult=[1, 2, 4, 4], num_heads=8, use_spatial_transformer=True, transformer_depth=[1] * 6 + [0] * 2,
        transformer_depth_middle=1, transformer_depth_output=[1] * 9 + [0] * 3, context_dim=768, legacy=False,
        **META).eval()
    inputs = _empty(4, latent, latent), _empty(), _empty(context_tokens, 768)
    return FullSize(UNETS.chain_of(model), lambda: model(*inputs)), UNETS.transformer_of(model)


def macs_of(plan: Plan, cost: Cost) -> int:
    """MACs of a whole run by this plan, one pass per step."""
    skipped = sum(cost.blocks[block] for decision in plan.decisions if decision.reuse is not None
                  for block in decision.reuse.span)
    return cost.total * plan.steps - skipped
