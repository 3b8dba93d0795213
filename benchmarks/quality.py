"""How near a picture is to the one that full sampling gives, and whether it shows what its caption asks for."""

from dataclasses import dataclass

import torch
from kornia.metrics import ssim

from ..demo import checker, world


@dataclass(frozen=True)
class Quality:
    """psnr: dB, infinite for equal pictures; ssim: 1 for equal pictures; l1: mean |latent - full| / mean |full|;
    right of objects: in the right place, colour and shape, by the demo's exact checker; 0 of 0 for a video."""
    psnr: float
    ssim: float
    l1: float
    objects: int
    right: int


def compare(latent: torch.Tensor, full: torch.Tensor, scene: world.Scene) -> Quality:
    """One sample against its full counterpart, each (3, H, W) or (3, T, H, W) in [-1, 1]."""
    picture, reference = pixels(latent), pixels(full)
    error = (picture - reference).square().mean()
    psnr = float(-10 * torch.log10(error)) if error > 0 else float("inf")
    similar = float(ssim(picture, reference, window_size=11).mean())
    l1 = float((latent - full).abs().mean() / full.abs().mean())
    score = checker.Score(0, 0, 0, 0)
    if len(picture) == 1:
        score = checker.check(picture[0].permute(1, 2, 0).numpy(), scene)
    return Quality(psnr, similar, l1, score.objects, score.right)


def pixels(latent: torch.Tensor) -> torch.Tensor:
    """(T, 3, H, W) in [0, 1]: the demo's latents are pixels, and the frames of a video are pictures."""
    picture = latent.float().clamp(-1, 1) / 2 + .5
    return picture[None] if picture.ndim == 3 else picture.transpose(0, 1)
