"""How near a picture is to the one that full sampling gives, and whether it shows what its caption asks for."""

from dataclasses import dataclass

import torch

from ...blockdance_core.analysis.metrics import ssim
from ...demo import checker, model
from . import bands
from .captions import PictureCaption, Scene


@dataclass(frozen=True)
class Quality:
    """psnr: dB, infinite for equal pictures; ssim: 1 for equal pictures; l1: mean |latent - full| / mean |full|;
    right of objects: in the right place, colour and shape, by the demo's exact checker, None for what it cannot judge;
    exact, full_exact: PSNR of this picture and of the full run's to that of very many steps, None where there is none;
    structure, detail: PSNR in either band (bands.py), None in measurements from before there were these.
    """
    psnr: float
    ssim: float
    l1: float
    objects: int | None
    right: int | None
    exact: float | None = None
    full_exact: float | None = None
    structure: float | None = None
    detail: float | None = None


def compare(latent: torch.Tensor, full: torch.Tensor, scene: Scene,
            exact: torch.Tensor | None = None) -> Quality:
    """One sample against its full counterpart, each (3, H, W) or (3, T, H, W) in [-1, 1]; exact: that of many steps."""
    picture, reference = frames(latent), frames(full)
    similar = float(ssim(picture, reference).mean())
    l1 = float((latent - full).abs().mean() / full.abs().mean())
    objects = right = None
    if not isinstance(scene, PictureCaption):
        score = checker.check(model.pixels(latent[None].float())[0].numpy(), scene)
        objects, right = score.objects, score.right
    distances = (None, None) if exact is None else (_psnr(some, frames(exact)) for some in (picture, reference))
    return Quality(_psnr(picture, reference), similar, l1, objects, right, *distances,
                   *bands.psnr(picture - reference))


def _psnr(picture: torch.Tensor, reference: torch.Tensor) -> float:
    error = (picture - reference).square().mean()
    return float(-10 * torch.log10(error)) if error > 0 else float("inf")


def frames(latent: torch.Tensor) -> torch.Tensor:
    """(T, 3, H, W) in [0, 1]: the frames of a video are pictures."""
    pixels = model.pixels(latent[None].float())[0].movedim(-1, -3)
    return pixels[None] if pixels.ndim == 3 else pixels
