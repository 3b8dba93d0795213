"""Delta-Cache and DeepCache on a U-Net: most steps compute only its outermost blocks.

Delta-DiT, appendix G: between two points of a U-Net where the hidden state has equal form, the change from the one to
the other is stored at a full step and added at the cached ones. DeepCache (arXiv 2312.00858) stores the hidden state at
the second point instead. The blocks outside the two points are computed on every step, with their skip connections.
"""

from dataclasses import dataclass

from ..plan.plan import Kind, Plan, Reuse, Span, Transformer
from ..plan.schedule import Schedule
from ..words import count
from .delta_cache import DeltaCacheMethod
from .method import check_fraction, check_interval


@dataclass(frozen=True)
class UNet(Transformer):
    """A U-Net as a chain of layers: each of its input, middle and output blocks is a stack of them.

    channels: those of the hidden state after each stack.
    """
    channels: tuple[int, ...]

    @property
    def deepest(self) -> int:
        """The most input blocks that can be kept with something left to skip between them and the output blocks."""
        return (len(self.stacks) - 1) // 2

    def has_delta(self, depth: int) -> bool:
        """Whether the hidden state is alike before and after what lies within the outermost `depth` blocks.

        Its resolution always is, because the output block that follows joins it to the skip connection from there.
        """
        return self.channels[depth - 1] == self.channels[-depth - 1]


@dataclass(frozen=True)
class UNetMethod:
    """Settings of Delta-Cache on a U-Net.

    N: the first of every N steps in the window is computed, the others reuse; 1 turns reuse off.
    depth: how many of the first input blocks, and of the last output blocks, a cached step computes. 2 gives the
    paper's 7.923 T of 13.553 T MACs for SD1.5: convolutions and linear layers, 20 steps, cond and uncond.
    mode: DELTA for the paper's method, FEATURE for DeepCache.
    start, end: the window, as percents of sampling in [0, 1]; the paper's MACs are those of all steps.
    """
    N: int = 2
    depth: int = 2
    mode: Kind = Kind.DELTA
    start: float = 0.
    end: float = 1.

    def __post_init__(self):
        check_interval(self.N)
        check_fraction("start", self.start)
        check_fraction("end", self.end)
        if self.depth < 1:
            raise ValueError(f"depth is {self.depth}; use a number of input blocks from 1")
        if not isinstance(self.mode, Kind):
            raise ValueError(f"mode is {self.mode!r}; use Kind.DELTA or Kind.FEATURE")

    @property
    def name(self) -> str:
        return f"{'Delta-Cache (U-Net)' if self.mode is Kind.DELTA else 'DeepCache'} N={self.N}"

    def reuse(self, unet: UNet) -> Reuse:
        """The span of layers that is replaced. Raises ValueError where this U-Net has none at this depth."""
        depth, depths = self.depth, range(1, unet.deepest + 1)
        if depth not in depths:
            raise ValueError(f"depth is {depth}, but {unet.name} has {count(unet.deepest, 'input block')} with "
                             f"something to skip behind them: use 1 to {unet.deepest}")
        if self.mode is Kind.DELTA and not unet.has_delta(depth):
            possible = ", ".join(str(depth) for depth in depths if unet.has_delta(depth))
            raise ValueError(
                f"depth is {depth}, but there {unet.name} goes in with {unet.channels[depth - 1]} channels and comes "
                f"out with {unet.channels[-depth - 1]}, which have no delta: use {possible}, or mode feature")
        return Reuse(Span(sum(unet.stacks[:depth]), sum(unet.stacks[:-depth]) - 1), self.mode)

    def plan(self, schedule: Schedule, unet: UNet) -> Plan:
        span = self.reuse(unet).span
        plan = DeltaCacheMethod(self.N, span.first, len(span), self.start, self.end, self.mode).plan(schedule, unet)
        if plan.note:
            return plan
        return Plan(plan.decisions, f"cached steps compute the first {self.depth} input and the last {self.depth} "
                                    "output blocks; blocks are counted by their layers")
