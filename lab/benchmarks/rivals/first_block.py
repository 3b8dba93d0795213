"""First Block Cache: the first block always runs, and where it does what it did at the last computed evaluation, the
change over all others is repeated.

ParaAttention's first block cache, after TeaCache.
"""

import math
from dataclasses import dataclass

import torch

from ....blockdance_core.engine.blocks import Chain
from ....blockdance_core.engine.cache import Stored
from ....blockdance_core.plan.plan import Kind, Reuse, Span
from .distance import picture, relative_l1
from .rival import Moment, Rival, Sight, Stream


@dataclass(frozen=True)
class FirstBlockCache(Rival):
    """threshold: relative L1 distance of the first block's change from the last computed one; 0 never reuses."""
    threshold: float = .08

    def reuse(self, chain: Chain) -> Reuse:
        return Reuse(Span(1, len(chain.blocks) - 1), Kind.DELTA)

    def begin(self) -> Stream:
        return Probing(self.threshold)


class Probing(Stream):
    """Reuses while what the blocks before the span do is near to what they did when it was computed.

    warm_up: evaluations computed at the beginning; most: reuses in a row.
    """

    def __init__(self, threshold: float, warm_up: int = 0, most: float = math.inf):
        super().__init__()
        self._threshold = threshold
        self._warm_up = warm_up
        self._most = most
        self._reused = 0
        self._before: torch.Tensor | None = None  # the probe's change at the last computed evaluation

    def weights(self, moment: Moment, sight: Sight) -> list[float] | None:
        if moment.number < self._warm_up or self._before is None or self._reused >= self._most:
            return None
        if relative_l1(_probe(sight), self._before) >= self._threshold:
            return None
        self._reused += 1
        return [1.]

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        super().computed(moment, sight, stored)
        self._before = _probe(sight)
        self._reused = 0


def _probe(sight: Sight) -> torch.Tensor:
    """The change of the picture's tokens over the blocks before the span, (B, T, D)."""
    before, after = picture(sight.entered), picture(sight.arrived)
    return after[:, -before.shape[1]:] - before
