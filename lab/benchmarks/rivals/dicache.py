"""DiCache: the first blocks probe how far the run has moved; reuse follows the trajectory of the last two computed
evaluations as far as the probe has gone along it.

DiCache: Let Diffusion Model Determine Its Own Cache, arXiv 2508.17356. The error is the distance between the relative
changes of the probe's output and of its input, summed up since the last computed evaluation. What the probe has
computed is kept in either case, so the change that is combined is that of the blocks behind it.
"""

from dataclasses import dataclass

import torch

from ....blockdance_core.engine.blocks import Chain
from ....blockdance_core.engine.cache import Stored
from ....blockdance_core.plan.plan import Kind, Reuse, Span
from .distance import picture, relative_l1
from .rival import Moment, Rival, Sight, Stream

LEAST, MOST = 1., 1.5  # bounds of the step along the trajectory


@dataclass(frozen=True)
class DiCache(Rival):
    """threshold: of the summed error; probe: how many blocks it has; retained: share of the run computed first."""
    threshold: float = .2
    probe: int = 1
    retained: float = .2

    def reuse(self, chain: Chain) -> Reuse:
        if not 1 <= self.probe < len(chain.blocks):
            raise ValueError(f"a probe of {self.probe} blocks leaves nothing of {len(chain.blocks)} to reuse")
        return Reuse(Span(self.probe, len(chain.blocks) - 1), Kind.DELTA)

    def begin(self) -> Stream:
        return _Aligned(self)


class _Aligned(Stream):
    def __init__(self, settings: DiCache):
        super().__init__(keep=2)
        self._settings = settings
        self._error = 0.
        self._seen: tuple[torch.Tensor, torch.Tensor] | None = None  # the probe's input and output, one evaluation ago
        self._probes: list[torch.Tensor] = []  # the probe's change at the anchors

    def weights(self, moment: Moment, sight: Sight) -> list[float] | None:
        now = _picture(sight)
        if self._seen is not None:
            moved, probed = (relative_l1(*pair) for pair in zip(now, self._seen))
            self._error += abs(probed - moved)
        self._seen = now
        if moment.within(self._settings.retained) or not self.anchors or self._error >= self._settings.threshold:
            return None
        if len(self.anchors) < 2:
            return [1.]
        gamma = step(now[1] - now[0], *self._probes)
        return [gamma, 1 - gamma]

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        super().computed(moment, sight, stored)
        entered, arrived = _picture(sight)
        self._probes = [arrived - entered, *self._probes[:1]]
        self._error = 0.


def step(now: torch.Tensor, last: torch.Tensor, before: torch.Tensor) -> float:
    """How far the probe has gone along the way from the anchor `before` to the anchor `last`, within bounds."""
    gamma = float((now - before).abs().mean() / (last - before).abs().mean().clamp_min(1e-12))
    return min(MOST, max(LEAST, gamma))


def _picture(sight: Sight) -> tuple[torch.Tensor, torch.Tensor]:
    before, after = picture(sight.entered), picture(sight.arrived)
    return before, after[:, -before.shape[1]:]
