"""What the passes of a run cost: each kind of pass is counted once, when it first computes everything."""

import threading
from typing import Hashable, Sequence

from ..plan.plan import Span
from .macs import Cost
from .report import Evaluation


class MacAccount:
    """Costs by pass key. A pass with a replaced span costs what its kind did less the blocks of the span."""

    def __init__(self):
        self._costs: dict[Hashable, Cost] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._costs

    def enter(self, key: Hashable, total: int, blocks: Sequence[int]) -> None:
        with self._lock:
            self._costs[key] = Cost(total, tuple(blocks))

    def book(self, evaluation: Evaluation, key: Hashable, replaced: Span | None) -> None:
        """Charge a pass to its evaluation; one whose kind was not counted costs nothing."""
        cost = self._costs.get(key, Cost(0, ()))
        saved = sum(cost.blocks[block] for block in replaced or () if cost.blocks)
        with self._lock:
            evaluation.total_macs += cost.total
            evaluation.macs += cost.total - saved
