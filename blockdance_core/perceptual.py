"""How alike pictures are to the eye: SSIM (Wang et al. 2004), and LPIPS (Zhang et al. 2018), a learned distance, for
those who have its Python package."""

import importlib

import kornia.metrics
import torch

WINDOW = 11  # pixels, as in the paper of SSIM
SMALLEST = 31  # pixels of the shorter side: of less, the network of LPIPS halves everything away


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
