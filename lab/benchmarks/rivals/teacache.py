"""TeaCache: the change of the first block's modulated input tells that of the output, by a fitted polynomial; all
blocks are left out until the predicted changes sum up to a threshold.

Timestep Embedding Tells, arXiv 2411.19108 (CVPR 2025), section 3.3. The authors publish a polynomial per model; for
any other model it is fitted as they did, from full runs. Beyond the changes that those have shown, where a polynomial
of degree four may go anywhere (below zero it would never compute again), the value at the end of their range is used.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from ....blockdance_core.engine.cache import Stored
from .distance import change, picture, relative_l1
from .modulated import modulated
from .rival import Moment, Sight, Stream, WholeDelta

DEGREE = 4


@dataclass(frozen=True)
class TeaCache(WholeDelta):
    """threshold: of the summed change; polynomial: its coefficients, highest power first; known: the range in which
    it was fitted."""
    threshold: float = .25
    polynomial: tuple[float, ...] = (1., 0.)
    known: tuple[float, float] = (0., math.inf)

    def begin(self) -> Stream:
        return _Summing(self)

    def fitted(self, log: "ChangeLog") -> "TeaCache":
        """With the polynomial that fits full runs."""
        inputs, outputs = zip(*log.pairs)
        return replace(self, polynomial=tuple(np.polyfit(inputs, outputs, DEGREE)), known=(min(inputs), max(inputs)))

    def predict(self, change_of_input: float) -> float:
        """The relative change of the output."""
        low, high = self.known
        return float(np.polyval(self.polynomial, min(high, max(low, change_of_input))))


class _Summing(Stream):
    def __init__(self, settings: TeaCache):
        super().__init__()
        self._settings = settings
        self._sum = 0.
        self._before: torch.Tensor | None = None

    def weights(self, moment: Moment, sight: Sight) -> list[float] | None:
        now = modulated(sight)
        if self._before is not None:
            self._sum += self._settings.predict(relative_l1(now, self._before))
        self._before = now
        if not self.anchors or moment.is_last or self._sum >= self._settings.threshold:
            return None
        return [1.]

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        super().computed(moment, sight, stored)
        self._sum = 0.


class ChangeLog(WholeDelta):
    """Computes everything and keeps `pairs` of relative changes: of the modulated input, and of the output."""

    def __init__(self):
        self.pairs: list[tuple[float, float]] = []

    def begin(self) -> Stream:
        return _Logging(self.pairs)


class _Logging(Stream):
    def __init__(self, pairs: list[tuple[float, float]]):
        super().__init__()
        self._pairs = pairs
        self._before: tuple[torch.Tensor, torch.Tensor] | None = None

    def weights(self, moment: Moment, sight: Sight) -> None:
        return None

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        now = modulated(sight), picture(sight.entered) + change(stored)
        if self._before is not None:
            self._pairs.append(tuple(relative_l1(*pair) for pair in zip(now, self._before)))
        self._before = now
