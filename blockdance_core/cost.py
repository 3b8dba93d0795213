"""What a model and a plan cost, in multiply-accumulates (MACs).

Two countings: linear layers (convolutions among them) only, as both papers do (it reproduces their tables), and
everything that multiplies, attention products included. Meta tensors will do: no weights and no arithmetic are needed
to count.
"""

from dataclasses import dataclass
from typing import Callable, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from .plan import Plan

_LINEAR = (torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.convolution)


def _sdpa_cpu(query, key, value, *args, out_shape=None, **kwargs) -> int:
    return sdpa_flop_count(query, key, value)


# torch's counter knows no attention kernel of the CPU
_KERNELS = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _sdpa_cpu}


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
    counter = FlopCounterMode(display=False, custom_mapping=_KERNELS)

    def macs() -> int:
        by_kernel = counter.get_flop_counts()["Global"]
        return sum(flops for kernel, flops in by_kernel.items() if not linear_only or kernel in _LINEAR) // 2

    before = [0] * len(blocks)
    costs = [0] * len(blocks)
    hooks = []
    for index, block in enumerate(blocks):
        def enter(*_, index=index):
            before[index] = macs()

        def leave(*_, index=index):
            costs[index] = macs() - before[index]
        hooks += [block.register_forward_pre_hook(enter), block.register_forward_hook(leave)]
    try:
        with torch.no_grad(), counter:
            forward()
            total = macs()
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(total, tuple(costs))
