"""Whether the latent of an evaluation goes on where the one before was, or shows another part of the picture.

What neighbouring pixels differ by is mostly noise, and unlike at every place. A sampler that adds no noise keeps it.
One that makes part of it anew keeps at least the ratio of the two noise levels, which is what full ancestral sampling
leaves of it. Of another place nothing is to be found again, up to chance.
"""

import math

import torch

SAMPLED = 2 ** 14  # differences that are kept of a latent, 64 KiB
SHARE = .3  # of the correlation that a sampler keeps at least; less is another place
CHANCE = 4.  # standard deviations by which that has to exceed the correlation of unlike places


class Continuity:
    """Of the evaluations of one run, in order."""

    def __init__(self):
        self._last: tuple[float, torch.Tensor] | None = None

    def broken(self, latent: torch.Tensor, time: float) -> torch.Tensor | None:
        """Whether this latent (B, C, ...) has nothing in common with the last one: (), a bool on its device; None
        where that cannot be told. time: in that of a flow."""
        last, now = self._last, _differences(latent)
        self._last = time, now
        if last is None or last[1].shape != now.shape or last[1].device != now.device:
            return None
        least = SHARE * _kept(last[0], time)
        if least * math.sqrt(now.numel()) < CHANCE:
            return None
        return (now * last[1]).sum() < least * now.norm() * last[1].norm()


def _differences(latent: torch.Tensor) -> torch.Tensor:
    """Of neighbours in some rows of a latent, the same rows each time: (rows, columns)."""
    rows = latent.reshape(-1, latent.shape[-1])[:, :SAMPLED + 1]
    rows = rows[::max(1, rows.numel() // SAMPLED)].float()
    return rows[:, 1:] - rows[:, :-1]


def _kept(before: float, now: float) -> float:
    """The least correlation of the noise at two times: the ratio of noise to picture at one to that at the other."""
    if before == now:
        return 1.
    if not (0 < before < 1 and 0 < now < 1):
        return 0.
    ratio = now * (1 - before) / (before * (1 - now))
    return min(ratio, 1 / ratio)
