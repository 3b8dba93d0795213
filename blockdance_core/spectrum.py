"""How much of a picture is outline and how much detail: its magnitude by frequency (Delta-DiT, Eq. 4-5, Figure 5)."""

import torch

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
