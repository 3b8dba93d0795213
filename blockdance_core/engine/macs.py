"""Counts the multiply-accumulates (MACs) of whatever runs under it, from the shapes that torch's operators see.

Nothing is read from a device and nothing that is computed changes: the operators pass through as they are. Kernels that
are no operators of torch (SageAttention, Nunchaku) do not pass here and are not counted; `attention` tells.

In a run each kind of pass is counted once, when it first computes everything.
"""

import threading
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Callable, Hashable, Sequence

import torch
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from ..plan.plan import Span
from .report import Evaluation

aten = torch.ops.aten


def _matrix_product(out: torch.Tensor, left: torch.Tensor, *_) -> int:
    return out.numel() * left.shape[-1]


def _with_bias(out: torch.Tensor, bias: torch.Tensor, left: torch.Tensor, *_) -> int:
    return out.numel() * left.shape[-1]


def _convolution(out: torch.Tensor, picture: torch.Tensor, weight: torch.Tensor, bias=None, stride=(), padding=(),
                 dilation=(), transposed: object = False, *_) -> int:
    # conv1d and its like have their number of groups in the place of `transposed`
    return (picture if transposed is True else out).numel() * weight[0].numel()


def _transposed(out: torch.Tensor, picture: torch.Tensor, weight: torch.Tensor, *_) -> int:
    return picture.numel() * weight[0].numel()


def _attention(out, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_) -> int:
    """Heads first: (..., tokens, channels)."""
    return query.shape[:-1].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1])


def _einsum(out: torch.Tensor, equation: str, operands: Sequence[torch.Tensor], *_) -> int:
    """Of two operands, with explicit output; without a sum nothing is accumulated."""
    inputs, _, result = equation.replace(" ", "").partition("->")
    sizes = {}
    for labels, operand in zip(inputs.split(","), operands):
        head, _, tail = labels.partition("...")
        sizes.update(zip(head, operand.shape))
        sizes.update(zip(reversed(tail), reversed(operand.shape)))
    summed = [size for label, size in sizes.items() if label not in result]
    return out.numel() * prod(summed) if summed and len(operands) > 1 else 0


def _packed_fours(out: torch.Tensor, left: torch.Tensor, *_) -> int:
    """Two numbers in each byte of `left`."""
    return out.numel() * 2 * left.shape[-1]


def _activated(out: torch.Tensor, inputs: torch.Tensor, weight: torch.Tensor, *_) -> int:
    """A gated activation of the inputs may be part of the operator, which halves them."""
    return out.numel() * weight.shape[-1]


# In inference mode the operators of modules arrive whole, otherwise in parts, hence both
_LINEAR: dict[object, Callable[..., int]] = {
    **dict.fromkeys((aten.linear, aten.mm, aten._scaled_mm, aten._int_mm), _matrix_product),
    aten.addmm: _with_bias,
    **dict.fromkeys((aten.conv1d, aten.conv2d, aten.conv3d, aten.convolution, aten._convolution), _convolution),
    **dict.fromkeys((aten.conv_transpose1d, aten.conv_transpose2d, aten.conv_transpose3d), _transposed),
}
_ATTENTION: dict[object, Callable[..., int]] = {
    **dict.fromkeys((aten.bmm, aten.matmul), _matrix_product),
    aten.baddbmm: _with_bias,
    aten.einsum: _einsum,
    **dict.fromkeys((
        aten.scaled_dot_product_attention, aten._scaled_dot_product_flash_attention,
        aten._scaled_dot_product_flash_attention_for_cpu, aten._scaled_dot_product_efficient_attention,
        aten._scaled_dot_product_cudnn_attention), _attention),
}
# Those that ComfyUI brings for quantised weights, by name, as there may be none of them
_QUANTISED: dict[str, Callable[..., int]] = {
    "comfy_kitchen.int8_linear": _activated,
    "comfy_kitchen.scaled_mm_mxfp8": _matrix_product,
    "comfy_kitchen.scaled_mm_nvfp4": _packed_fours,
    "comfy_kitchen.scaled_mm_svdquant_w4a4": _packed_fours,
    "comfy_kitchen.gemv_awq_w4a16": _matrix_product,
}
_QUANTISED_ATTENTION = {
    "comfy_kitchen.int8_attention": _attention, "comfy_kitchen.int8_attention_masked": _attention}


@lru_cache(maxsize=None)
def _formula(operator: object) -> tuple[bool, Callable[..., int] | None]:
    """Whether an operator is of linear layers and convolutions, and its MACs by output and arguments; None if it has
    none."""
    name = str(operator)
    if (found := _LINEAR.get(operator) or _QUANTISED.get(name)) is not None:
        return True, found
    return False, _ATTENTION.get(operator) or _QUANTISED_ATTENTION.get(name)


class MacCounter(TorchDispatchMode):
    """Context of the calls to be counted, in this thread.

    linear: MACs so far of linear layers and convolutions, what both papers count; attention: those of products between
    activations; missed: an operator that was called in a way which says nothing of them, empty if there is none.
    """

    supports_higher_order_operators = True  # torch refuses them in others

    def __init__(self):
        super().__init__()
        self.linear = 0
        self.attention = 0
        self.missed = ""

    @property
    def macs(self) -> int:
        return self.linear + self.attention

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(func, HigherOrderOperator):  # such as flex_attention, which calls no others
            self.missed = str(func)
            return out
        operator = func.overloadpacket
        try:
            linear, formula = _formula(operator)
            macs = 0 if formula is None else formula(out, *args)
            if linear:
                self.linear += macs
            else:
                self.attention += macs
        except Exception as error:  # it is computed, and need not be counted
            self.missed = f"{operator} ({type(error).__name__} {error})"
        return out


@dataclass(frozen=True)
class Cost:
    """MACs of one pass of a model: of the whole, and of each block."""
    total: int
    blocks: tuple[int, ...]


def count(forward: Callable[[], object], blocks: Sequence[torch.nn.Module], linear_only: bool) -> Cost:
    """The cost of one call of `forward`, in which each of `blocks` runs once."""
    counter = MacCounter()
    costs = [0] * len(blocks)
    hooks = []

    def macs() -> int:
        return counter.linear if linear_only else counter.macs
    for index, block in enumerate(blocks):
        def enter(*_, index=index):
            costs[index] -= macs()

        def leave(*_, index=index):
            costs[index] += macs()
        hooks += [block.register_forward_pre_hook(enter), block.register_forward_hook(leave)]
    try:
        with torch.no_grad(), counter:
            forward()
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(macs(), tuple(costs))


class MacAccount:
    """What the passes of a run cost, by pass key.

    A pass with a replaced span costs what its kind did less the blocks of the span.
    """

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
