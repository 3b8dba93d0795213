"""DBCache: the first F blocks probe, the last B blocks always run and repair, the blocks between are repeated.

cache-dit, DBCache: First Block Cache is F = 1, B = 0 without its warm-up and its limit on reuses in a row.
"""

from dataclasses import dataclass

from ....blockdance_core.engine.blocks import Chain
from ....blockdance_core.plan.plan import Kind, Reuse, Span
from .first_block import Probing
from .rival import Rival, Stream


@dataclass(frozen=True)
class DBCache(Rival):
    """front, back: F and B; threshold: of the probe's relative L1 distance; warm_up: W; most: MC, reuses in a row."""
    front: int = 8
    back: int = 0
    threshold: float = .08
    warm_up: int = 8
    most: int = 3

    def reuse(self, chain: Chain) -> Reuse:
        depth = len(chain.blocks)
        if not 1 <= self.front < depth - self.back:
            raise ValueError(f"F={self.front} and B={self.back} leave nothing of {depth} blocks between them")
        return Reuse(Span(self.front, depth - 1 - self.back), Kind.DELTA)

    def begin(self) -> Stream:
        return Probing(self.threshold, self.warm_up, self.most)
