"""SeaCache: as TeaCache, but the change of the modulated input is measured after a filter that keeps what is content
at the noise level at hand, and no polynomial is fitted.

SeaCache: Spectral-Evolution-Aware Cache, arXiv 2602.18993 (CVPR 2026), section 3. Of a latent a x0 + b noise, where
the power of pictures falls as 1 / f^2, the best linear estimate of x0 at frequency f is a S / (a^2 S + b^2), S = 1 /
f^2 (Wiener): low frequencies alone at first, all in the end. As in the authors' code the filter is the product of one
along each axis of the picture, scaled to a mean of 1. Relative changes sum up until they reach the threshold; the
first and the last evaluation are computed.
"""

from dataclasses import dataclass
from typing import Sequence

import torch

from ....blockdance_core.analysis.similarity import Grid
from ....blockdance_core.engine.cache import Stored
from ....blockdance_core.engine.gate import Sight
from .distance import relative_l1
from .modulated import modulated
from .rival import Moment, Stream, WholeDelta

FALL = 2.  # of the power of pictures with the frequency
CLEAREST = 1e-6  # noise and picture have at least this share: the filter of pure noise is zero


@dataclass(frozen=True)
class SeaCache(WholeDelta):
    """threshold: of the summed relative change; 0 never reuses. The paper has .3 for twice as fast, .6 for thrice."""
    threshold: float = .3

    def begin(self) -> Stream:
        return _Filtering(self.threshold)


class _Filtering(Stream):
    def __init__(self, threshold: float):
        super().__init__()
        self._threshold = threshold
        self._sum = 0.
        self._before: torch.Tensor | None = None

    def weights(self, moment: Moment, sight: Sight) -> list[float] | None:
        now = filtered(modulated(sight), moment)
        if self._before is not None:
            self._sum += relative_l1(now, self._before)
        self._before = now
        if not self.anchors or moment.is_last or self._sum >= self._threshold:
            return None
        return [1.]

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        super().computed(moment, sight, stored)
        self._sum = 0.


def filtered(tokens: torch.Tensor, moment: Moment) -> torch.Tensor:
    """The picture's tokens (B, T, D), with what is noise at this moment taken out. Raises RuntimeError where they are
    no picture."""
    grid = Grid.of(tokens.shape[1], torch.Size(moment.shape))
    if grid is None or grid.others:
        raise RuntimeError(f"{tokens.shape[1]} tokens are no picture of a latent of {tuple(moment.shape)}")
    sizes = (grid.frames, grid.height, grid.width)
    spectrum = torch.fft.fftn(tokens.float().unflatten(1, sizes), dim=(1, 2, 3))  # (B, F, H, W, D)
    gain = filter_of(sizes, moment.time).to(tokens.device)[..., None]
    return torch.fft.ifftn(spectrum * gain, dim=(1, 2, 3)).real.flatten(1, 3)


def filter_of(sizes: Sequence[int], time: float) -> torch.Tensor:
    """The gain at each frequency, of these sizes, at a time of a flow."""
    noise = min(1 - CLEAREST, max(CLEAREST, time))
    gain = torch.ones(())
    for size in sizes:
        fall = torch.fft.fftfreq(size).abs() ** FALL  # 1 / S; S is infinite for what is constant
        gain = gain[..., None] * (1 - noise) / ((1 - noise) ** 2 + noise ** 2 * fall)
    return gain / gain.mean()
