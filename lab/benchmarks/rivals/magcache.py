"""MagCache: how much the size of the model's change shrinks from step to step is the same for all prompts, so it is
measured once, and tells how long the change may be repeated.

MagCache, arXiv 2506.09045, section 4. The change is repeated as it is, not rescaled, as published.
"""

from dataclasses import dataclass, replace

import torch

from ....blockdance_core.engine.cache import Stored
from .distance import change
from .rival import Moment, Sight, Stream, WholeDelta


@dataclass(frozen=True)
class MagCache(WholeDelta):
    """threshold: of the summed error; most: K, evaluations skipped in a row; retained: share of the run computed
    first; ratios: one per evaluation, the size of the change as a multiple of that one evaluation before."""
    threshold: float = .06
    most: int = 2
    retained: float = .2
    ratios: tuple[float, ...] = ()

    def begin(self) -> Stream:
        if not self.ratios:
            raise ValueError("MagCache has no ratios; measure them with a RatioLog first")
        return _Budgeted(self)

    def fitted(self, log: "RatioLog") -> "MagCache":
        """With the mean ratios of full runs."""
        numbers = range(max(number for number, _ in log.ratios) + 1)
        measured = [[ratio for number, ratio in log.ratios if number == wanted] for wanted in numbers]
        return replace(self, ratios=tuple(sum(ratios) / len(ratios) if ratios else 1. for ratios in measured))


class _Budgeted(Stream):
    def __init__(self, settings: MagCache):
        super().__init__()
        self._settings = settings
        self._restart()

    def _restart(self) -> None:
        self._ratio, self._error, self._skipped = 1., 0., 0

    def weights(self, moment: Moment, sight: Sight) -> list[float] | None:
        settings = self._settings
        if moment.within(settings.retained) or not self.anchors:
            return None
        self._ratio *= settings.ratios[min(moment.number, len(settings.ratios) - 1)]
        self._error += abs(1 - self._ratio)
        self._skipped += 1
        if self._error <= settings.threshold and self._skipped <= settings.most:
            return [1.]
        return None

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        super().computed(moment, sight, stored)
        self._restart()


class RatioLog(WholeDelta):
    """Computes everything and keeps `ratios` of sizes, as (number of the evaluation, ratio)."""

    def __init__(self):
        self.ratios: list[tuple[int, float]] = []

    def begin(self) -> Stream:
        return _Logging(self.ratios)


class _Logging(Stream):
    def __init__(self, ratios: list[tuple[int, float]]):
        super().__init__()
        self._ratios = ratios
        self._before: torch.Tensor | None = None

    def weights(self, moment: Moment, sight: Sight) -> None:
        return None

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        now = change(stored).norm(dim=-1)  # (B, T)
        if self._before is not None:
            self._ratios.append((moment.number, float((now / self._before).mean())))
        self._before = now
