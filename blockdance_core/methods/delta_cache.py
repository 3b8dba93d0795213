"""Delta-Cache: on most steps a span of blocks is replaced by the change that it made at the last full step.

Delta-DiT, section 3.2: at a full step store F_{1:I+Nc}(x) - F_{1:I}(x), the hidden state after the span minus the one
before it; at a cached step skip the span and add the stored change to the current hidden state before it. Reusing the
hidden state itself instead gives the feature caches that both papers compare with (DeepCache on a DiT, Faster
Diffusion).
"""

from dataclasses import dataclass

from .. import words
from ..plan.plan import Kind, Plan, Reuse, Span, Transformer
from ..plan.schedule import Schedule
from .method import cached_steps, check_fraction, check_interval, check_n_cached, three_quarters


@dataclass(frozen=True)
class DeltaCacheMethod:
    """Settings of Delta-Cache.

    N: the first of every N steps in the window is computed, the others reuse; 1 turns reuse off.
    first_block, n_cached: the span, as its first block from 0 and its length; -1 = three quarters of the depth.
    start, end: the window, as percents of sampling in [0, 1]; the paper caches in all steps.
    kind: DELTA for the paper's method, FEATURE for the feature caches it is compared with.
    """
    N: int = 2
    first_block: int = 0
    n_cached: int = -1
    start: float = 0.
    end: float = 1.
    kind: Kind = Kind.DELTA

    def __post_init__(self):
        check_interval(self.N)
        check_n_cached(self.n_cached)
        check_fraction("start", self.start)
        check_fraction("end", self.end)
        if self.first_block < 0:
            raise ValueError(f"first_block is {self.first_block}; use a block number from 0")

    @property
    def name(self) -> str:
        return f"{'Delta-Cache' if self.kind is Kind.DELTA else 'Feature cache'} N={self.N}"

    def reuse(self, transformer: Transformer) -> Reuse:
        """The span that is replaced in this model. Raises ValueError where the model has no such blocks."""
        depth, count = transformer.depth, self.n_cached
        if count == -1:
            count = three_quarters(depth)
        if self.first_block + count > depth:
            raise ValueError(
                f"{words.count(count, 'block')} from block {self.first_block} on would end at block "
                f"{self.first_block + count - 1}, but {transformer.name} has {words.count(depth, 'block')}, 0 to "
                f"{depth - 1}: lower first_block to {max(0, depth - count)} or n_cached to "
                f"{max(1, depth - self.first_block)}")
        return Reuse(Span(self.first_block, self.first_block + count - 1), self.kind)

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        reuse = self.reuse(transformer)
        reuses: list[Reuse | None] = [None] * schedule.steps
        if self.N == 1:
            return Plan.from_reuses(reuses, "N is 1, so reuse is off")
        if self.start >= self.end:
            return Plan.from_reuses(reuses, f"nothing to reuse: start {self.start:g} is not before end {self.end:g}")
        window = schedule.window(self.start, self.end)
        for step in cached_steps(window, self.N):
            reuses[step] = reuse
        note = "" if any(reuses) else (
            f"nothing to reuse: the window holds {words.count(len(window), 'step')}, fewer than N")
        return Plan.from_reuses(reuses, note)
