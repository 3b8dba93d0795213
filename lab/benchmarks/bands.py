"""Where two pictures differ: in their structure or in their details.

By a cosine transform a picture is a sum of waves, and the squared error the sum of theirs. *Structure* is what has up
to CYCLES waves over the shorter side, parts of an eighth of it and larger; *detail* is all that is finer. The PSNR of a
band is that of the error's part in it, so the two mean squares add up to the whole one. People forgive other details
sooner than another structure. A learnt perceptual distance such as LPIPS would say more; its weights are not here.
"""

import math

import torch

CYCLES = 8


def split(error: torch.Tensor) -> tuple[float, float]:
    """The mean square of an error (..., H, W) in its structure and in its details."""
    height, width = error.shape[-2:]
    waves = _cosines(height).to(error) @ error @ _cosines(width).to(error).T
    vertical, horizontal = (torch.arange(size) / 2 * min(height, width) / size for size in (height, width))
    coarse = (vertical[:, None] ** 2 + horizontal ** 2 <= CYCLES ** 2).to(error.device)
    power = waves.double().square().flatten(0, -3).mean(0) / (height * width)
    return float(power[coarse].sum()), float(power[~coarse].sum())


def psnr(error: torch.Tensor) -> tuple[float, float]:
    """Of the structure and of the details, in dB, for pictures (..., H, W) in [0, 1]; infinite without an error."""
    structure, detail = (-10 * math.log10(part) if part > 0 else math.inf for part in split(error))
    return structure, detail


def _cosines(size: int) -> torch.Tensor:
    """The orthonormal cosine transform, (size, size): half a wave more in each row."""
    places = (torch.arange(size, dtype=torch.float64) + .5) * math.pi / size
    rows = torch.cos(torch.arange(size)[:, None] * places) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows
