"""What a model and a plan cost, in multiply-accumulates (MACs).

Two countings: linear layers (convolutions among them) only, as both papers do (it reproduces their tables), and
everything that multiplies, attention products included. Meta tensors will do: no weights and no arithmetic are needed
to count.
"""

from dataclasses import dataclass
from typing import Callable, Sequence

import torch

from .meter import Meter
from .plan import Plan


@dataclass(frozen=True)
class Cost:
    """MACs of one pass of a model: of the whole, and of each block."""
    total: int
    blocks: tuple[int, ...]

    def of_plan(self, plan: Plan) -> int:
        """MACs of a whole run, one pass per step."""
        skipped = sum(self.blocks[block] for decision in plan.decisions if decision.reuse is not None
                      for block in decision.reuse.span)
        return self.total * plan.steps - skipped


def count(forward: Callable[[], object], blocks: Sequence[torch.nn.Module], linear_only: bool) -> Cost:
    """The cost of one call of `forward`, in which each of `blocks` runs once."""
    meter = Meter()
    costs = [0] * len(blocks)
    hooks = []

    def macs() -> int:
        return meter.linear if linear_only else meter.macs
    for index, block in enumerate(blocks):
        def enter(*_, index=index):
            costs[index] -= macs()

        def leave(*_, index=index):
            costs[index] += macs()
        hooks += [block.register_forward_pre_hook(enter), block.register_forward_hook(leave)]
    try:
        with torch.no_grad(), meter:
            forward()
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(macs(), tuple(costs))
