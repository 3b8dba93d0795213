"""Means over samples, and how far they can be trusted."""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

_RESAMPLES, _CONFIDENCE = 2000, .95


@dataclass(frozen=True)
class Estimate:
    """mean; low, high: its 95 % confidence interval by the percentile bootstrap; spread: standard deviation."""
    mean: float
    low: float
    high: float
    spread: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} ({self.low:.1f} to {self.high:.1f})"


def estimate(values: Sequence[float]) -> Estimate:
    """Of independent samples. Raises ValueError without any."""
    if not len(values):
        raise ValueError("no samples to take the mean of")
    samples = np.asarray(values, np.float64)
    if not np.isfinite(samples).all():  # equal pictures have an infinite PSNR
        mean = float(samples.mean())
        return Estimate(mean, mean, mean, 0.)
    chosen = np.random.default_rng(0).integers(len(samples), size=(_RESAMPLES, len(samples)))
    low, high = np.quantile(samples[chosen].mean(1), [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return Estimate(float(samples.mean()), float(low), float(high), float(samples.std(ddof=min(1, len(samples) - 1))))


def at(x: float, curve: Sequence[tuple[float, float]]) -> float | None:
    """The height of a curve of (x, y) points at x, by straight lines; None outside of it."""
    points = sorted(curve)
    if not points or not points[0][0] <= x <= points[-1][0]:
        return None
    return float(np.interp(x, *zip(*points)))
