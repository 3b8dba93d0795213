"""FORA: compute one evaluation of every N, repeat it in between.

Fast-Forward Caching in Diffusion Transformer Acceleration, arXiv 2407.01425, section 3.
"""

from dataclasses import dataclass

from .rival import Moment, Sight, Stream, WholeDelta


@dataclass(frozen=True)
class FORA(WholeDelta):
    N: int = 2

    def begin(self) -> Stream:
        return _Repeating(self.N)


class _Repeating(Stream):
    def __init__(self, N: int):
        super().__init__()
        self._N = N

    def weights(self, moment: Moment, sight: Sight) -> list[float] | None:
        return [1.] if self.anchors and moment.number % self._N else None
