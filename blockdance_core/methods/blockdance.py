"""BlockDance-N: which steps reuse the output of the structural blocks (BlockDance, section 3.2).

Once the structure of a picture has settled, the shallow and middle blocks compute nearly the same thing at
neighbouring steps. Steps inside the window form groups of N; the first of a group computes every block and stores
the output of block `block_index`, the others start from it and compute only the deeper blocks.
"""

from dataclasses import dataclass

from ..plan.plan import Kind, Plan, Reuse, Span, Transformer
from ..plan.schedule import Schedule
from ..words import are, count
from .method import check_fraction, check_interval, three_quarters

FEWEST_STEPS = 5  # with 1-4 steps neighbouring features differ too much (BlockDance, limitations)


@dataclass(frozen=True)
class BlockDanceMethod:
    """Settings of BlockDance-N.

    N: one step of every N in the window is computed; 1 turns reuse off.
    block_index: deepest reused block, from 0; -1 = three quarters of the depth, the paper's 20 of 28.
    start, end: the window, as percents of sampling in [0, 1]; the paper's .40 and .95 for PixArt-alpha.

    The last full step before the window anchors the first group: its features are there already, so the first step of
    the window reuses. That is what the paper's published MACs show (Table 1: steps 12, 14, ..., 28 of 30 for N = 2).
    """
    N: int = 2
    block_index: int = -1
    start: float = .40
    end: float = .95

    def __post_init__(self):
        check_interval(self.N)
        check_fraction("start", self.start)
        check_fraction("end", self.end)
        if self.block_index < -1:
            raise ValueError(f"block_index is {self.block_index}; use a block number from 0, or -1 for automatic")

    @property
    def name(self) -> str:
        return f"BlockDance N={self.N}"

    def reuse(self, transformer: Transformer) -> Reuse:
        """The span that is replaced in this model. Raises ValueError where the model has no such block."""
        deepest = self.block_index
        if deepest == -1:
            deepest = three_quarters(transformer.depth) - 1
        if deepest >= transformer.depth:
            raise ValueError(
                f"block_index is {deepest}, but {transformer.name} has {count(transformer.depth, 'block')}: "
                f"use 0 to {transformer.depth - 1}, or -1 for three quarters of the depth")
        return Reuse(Span(0, deepest), Kind.FEATURE)

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        reuse = self.reuse(transformer)
        reuses: list[Reuse | None] = [None] * schedule.steps
        if self.N == 1:
            return Plan.from_reuses(reuses, "N is 1, so reuse is off")
        if self.start >= self.end:
            return Plan.from_reuses(reuses, f"nothing to reuse: start {self.start:g} is not before end {self.end:g}")
        if schedule.steps < FEWEST_STEPS:
            return Plan.from_reuses(reuses, f"nothing reused: {are(schedule.steps, 'step')} too few, "
                                            f"neighbouring steps differ too much below {FEWEST_STEPS}")
        window = schedule.window(self.start, self.end)
        if not window:
            return Plan.from_reuses(reuses, f"nothing to reuse: no step of this run lies between "
                                            f"{self.start:.0%} and {self.end:.0%} of sampling")
        anchor = max(0, window[0] - 1)
        for step in window:
            if (step - anchor) % self.N:
                reuses[step] = reuse
        note = "" if any(reuses) else "nothing to reuse: the window holds a single step"
        return Plan.from_reuses(reuses, note)
