"""How alike pictures are: PSNR, SSIM (Wang et al. 2004), and LPIPS (Zhang et al. 2018), a learned distance, for those
who have its Python package."""

import importlib
import math
from statistics import fmean
from typing import Sequence

import kornia.metrics
import torch

WINDOW = 11  # pixels, as in the paper of SSIM
SMALLEST = 31  # pixels of the shorter side: of less, the network of LPIPS halves everything away


def psnr(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(B,) in dB of pictures (B, 3, H, W) in [0, 1]: infinite for equal ones."""
    return torch.stack([kornia.metrics.psnr(x, y, 1.) for x, y in zip(a, b)])


def mean_psnr(psnrs: Sequence[float]) -> float:
    """Of the pictures that differ: an equal one would make it infinite whatever the others are like. Infinite where
    none differs."""
    return fmean([value for value in psnrs if not math.isinf(value)] or psnrs)


def ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(B,) of pictures (B, 3, H, W) in [0, 1]: 1 for equal ones. In tiny pictures the window is smaller."""
    smallest = min(a.shape[-2:])
    return kornia.metrics.ssim(a, b, min(WINDOW, smallest - (smallest + 1) % 2)).mean((1, 2, 3))


def lpips(a: torch.Tensor, b: torch.Tensor) -> tuple[list[float] | None, str]:
    """The distance of each pair of pictures, (B, 3, H, W) in [0, 1]; None, and why, where there is none to have."""
    if min(a.shape[-2:]) < SMALLEST:
        return None, f"no LPIPS: it needs pictures of at least {SMALLEST} x {SMALLEST} pixels"
    try:
        metric = importlib.import_module("lpips").LPIPS(net="alex", verbose=False)
    except ImportError as error:
        return None, f"no LPIPS: install the package lpips into ComfyUI's Python, or turn lpips off ({error})"
    except (OSError, RuntimeError) as error:
        return None, ("no LPIPS: its network could not be downloaded or read; try again with an internet connection, "
                      f"or turn lpips off ({error})")
    with torch.no_grad():
        return metric(a.cpu(), b.cpu(), normalize=True).flatten().tolist(), ""


FLOOR = 1e-6  # of the largest magnitude: what is below is rounding


def radial_spectrum(images: torch.Tensor) -> torch.Tensor:
    """Mean relative log magnitude at frequencies from 0 to pi, over a batch: (B, H, W, C) -> (min(H, W) // 2 + 1,).

    log(|F| / max |F|) of the mean over the channels; natural logarithm, 0 for a picture's strongest frequency.
    """
    magnitude = torch.fft.fft2(images.double().mean(-1)).abs()  # (B, H, W)
    relative = (magnitude / magnitude.amax((1, 2), keepdim=True).clamp(min=1e-12)).clamp(min=FLOOR).log().mean(0)
    height, width = relative.shape
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None]) * 2  # in units of pi
    bins = min(height, width) // 2
    place = (radius * bins).round().long()
    inside = place <= bins  # corners lie beyond pi
    totals = torch.zeros(bins + 1, dtype=relative.dtype).index_add(0, place[inside], relative[inside])
    return (totals / torch.bincount(place[inside], minlength=bins + 1)).float()
