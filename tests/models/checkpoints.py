"""Model files of random weights, as small as ComfyUI's own loaders accept."""

from dataclasses import dataclass, replace
from pathlib import Path

import comfy.supported_models as supported
import torch
from comfy.taesd.taesd import TAESD
from safetensors.torch import save_file

from blockdance.tests.models import tiny

# ComfyUI takes the width of PixArt for granted, and derives that of SD3 from its depth and heads of Flux from its width
_FULL_WIDTH = dict(num_heads=16, hidden_size=1152, depth=2, caption_channels=4096, input_size=128)
PIXART_SIGMA = replace(tiny.PIXART, config=tiny.PIXART.config | _FULL_WIDTH | dict(pe_interpolation=2))
PIXART_ALPHA = replace(PIXART_SIGMA, model=supported.PixArtAlpha,
                       config=PIXART_SIGMA.config | dict(image_model="pixart_alpha", micro_condition=True))
SD3 = replace(tiny.SD3, config=tiny.SD3.config | dict(
    depth=3, num_blocks=3, x_block_self_attn_layers=[],
    context_embedder_config={"target": "torch.nn.Linear", "params": {"in_features": 48, "out_features": 192}}))
FLUX = replace(tiny.FLUX, config=tiny.FLUX.config | dict(
    hidden_size=128, num_heads=1, axes_dim=[16, 56, 56], mlp_ratio=4.))


@dataclass(frozen=True)
class Family:
    """A tiny model, the widths of its text encoder and the channels of its latents."""
    model: tiny.Tiny
    channels: int
    pooled: int
    latent: int

    size: tuple[int, int] = (64, 64)  # width and height of a picture that it can draw, in pixels

    def save_model(self, path: Path) -> None:
        save_file(self._model(), path)

    def save_vae(self, path: Path) -> None:
        save_file(self._vae(), path)

    def save_checkpoint(self, path: Path) -> None:
        """Model and VAE in one file, without text encoders."""
        save_file({f"model.diffusion_model.{name}": value for name, value in self._model().items()}
                  | {f"first_stage_model.{name}": value for name, value in self._vae().items()}, path)

    def _model(self) -> dict[str, torch.Tensor]:
        state = self.model.build().model.diffusion_model.state_dict()
        return {name: value.half().contiguous() for name, value in state.items()}

    def _vae(self) -> dict[str, torch.Tensor]:
        vae = TAESD(latent_channels=self.latent)
        generator = torch.Generator().manual_seed(0)
        for weight in vae.parameters():  # ComfyUI allocates them without values
            if weight.ndim > 1:
                torch.nn.init.kaiming_uniform_(weight, generator=generator)
            elif weight.ndim == 1:
                torch.nn.init.zeros_(weight)
        return vae.state_dict()


# PixArt's position embedding wants 33 as the mean of the latent's sides; this has the fewest tokens
STRIP = (512, 16)
FAMILIES = {
    "pixart_sigma": Family(PIXART_SIGMA, 4096, 1, 4, STRIP), "pixart_alpha": Family(PIXART_ALPHA, 4096, 1, 4, STRIP),
    "sd3": Family(SD3, 48, 32, 16), "flux": Family(FLUX, 24, 16, 16)}
