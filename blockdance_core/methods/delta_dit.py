"""Delta-DiT: Delta-Cache on the deep blocks while the outline forms, on the shallow blocks while details do.

Delta-DiT, section 4: errors in the deep blocks cost detail, errors in the shallow ones cost the outline, so each stage
reuses the blocks that matter least to it.
"""

import math
from dataclasses import dataclass

from .. import words
from ..plan.plan import Kind, Plan, Reuse, Span, Transformer
from ..plan.schedule import Schedule
from .method import cached_steps, check_fraction, check_interval, check_n_cached, three_quarters

LARGEST_INTERVAL = 10


@dataclass(frozen=True)
class DeltaDiTMethod:
    """Settings of Delta-DiT.

    N: the first of every N steps is computed, the others reuse; 1 turns reuse off.
    b: where the outline stage ends, as a percent of sampling in [0, 1]; the paper's 12 of 20 steps is 0.6.
    n_cached: how many blocks a cached step skips; -1 = three quarters of the depth.
    budget: 0, or the target cost as a fraction of full sampling, from which N and n_cached follow (Eq. 6 and 7).
    """
    N: int = 2
    b: float = .6
    n_cached: int = -1
    budget: float = 0.

    def __post_init__(self):
        check_interval(self.N)
        check_n_cached(self.n_cached)
        check_fraction("b", self.b)
        if self.budget and not 1 / LARGEST_INTERVAL <= self.budget < 1:
            raise ValueError(f"budget is {self.budget:g}; use a fraction of full compute from "
                             f"{1 / LARGEST_INTERVAL:g} to below 1, or 0 to set N and n_cached yourself")

    @property
    def name(self) -> str:
        return f"Delta-DiT budget {self.budget:g}" if self.budget else f"Delta-DiT N={self.N}"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        depth, steps = transformer.depth, schedule.steps
        reuses: list[Reuse | None] = [None] * steps
        N, count = self.N, three_quarters(depth) if self.n_cached == -1 else self.n_cached
        if count > depth and not self.budget:
            raise ValueError(f"n_cached is {count}, but {transformer.name} has {words.count(depth, 'block')}: use 1 to "
                             f"{depth}, or -1 for three quarters of them")
        if self.budget:
            solution = solve_budget(self.budget, steps, depth)
            if solution is None:
                return Plan.from_reuses(
                    reuses, f"nothing reused: {words.count(steps, 'step')} cannot be done at {self.budget:g} of full "
                            f"compute, the nearest possible budget is {1 / max(1, steps):.3g}")
            N, count = solution
        if N == 1 or count == 0:
            return Plan.from_reuses(reuses, "N is 1, so reuse is off" if N == 1 else
                                    f"nothing to reuse: a budget of {self.budget:g} pays for every block")
        deep, shallow = Span(depth - count, depth - 1), Span(0, count - 1)
        outline = schedule.window(0, self.b)
        for step in cached_steps(tuple(range(steps)), N):
            reuses[step] = Reuse(deep if step in outline else shallow, Kind.DELTA)
        plan = Plan.from_reuses(reuses)
        share = plan.computed_blocks(depth) / max(1, depth * steps)
        return Plan(plan.decisions,
                    f"N={N}, blocks {deep.first}-{deep.last} up to step {len(outline)} of {steps}, "
                    f"then blocks {shallow.first}-{shallow.last}, {share:.3f} of the blocks computed")


def solve_budget(budget: float, steps: int, depth: int) -> tuple[int, int] | None:
    """N and Nc for a target cost, as a fraction of `steps` full steps of `depth` blocks (Delta-DiT, Eq. 6 and 7).

    Eq. 6 gives the least N whose cached steps could be paid for; where the steps left over by whole groups of N,
    which are computed, leave nothing for that, the next N is tried. None where no N up to `steps` is possible.
    """
    for N in range(math.ceil(1 / budget - 1e-9), steps + 1):
        groups, left_over = divmod(steps, N)
        computed = ((budget * steps - left_over) * depth / groups - depth) / (N - 1)  # blocks on a cached step, Eq. 7
        if computed > -1e-9:
            return N, depth - min(depth, round(computed))
    return None
