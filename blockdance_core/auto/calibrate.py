"""A whole calibration after its full runs, stage by stage: how errors grow, which plans come closest, and better
weights."""

from dataclasses import dataclass, replace
from typing import Callable, Iterator

from ..closeness import ALIKE_FROM
from ..plan.schedule import Quantity
from ..words import count
from . import gauss_newton
from .calibration import CHECKED, CalibrationRuns, runs_for_growth, tried, with_growth, with_plan


@dataclass(frozen=True)
class Stages:
    """growth: whether it is measured how errors grow. speedups, tries: where plans are tried, and how many for each.
    fit: whether weights are fitted to the results, of plans with which a difference to full runs can be seen."""
    growth: bool = True
    speedups: tuple[float, ...] = CHECKED
    tries: int = 1
    fit: bool = False

    def cost(self, quantity: Quantity) -> float:
        """In full runs of each seed, but for the fits, whose plans are not known yet."""
        return self.growth * runs_for_growth(quantity) + self.tries * sum(1 / speedup for speedup in self.speedups)


def calibrated(full: CalibrationRuns, by: Callable[[str], CalibrationRuns], stages: Stages,
               tell: Callable[[str, float], None] = lambda text, more: None) -> Iterator[CalibrationRuns]:
    """The full runs with what each stage adds, after each of its parts, the last one complete. What they know already
    is not measured again.

    by: full runs by the sampler of this name. tell: hears what comes next, and how many full runs it takes beyond those
    of Stages.cost.
    """
    if stages.growth and full.kernel.growth is None:
        tell(f"measuring how errors grow, in {count(full.count * runs_for_growth(full.quantity), 'more run')}", 0.)
        try:
            full = with_growth(full, by)
        except ValueError as error:
            full = replace(full, notes=(*full.notes, f"how errors grow is not known: {error}"))
    yield full
    for speedup in stages.speedups:
        if full.shown(speedup) is None:
            tell(f"trying plans for {speedup:g}x", 0.)
            full = tried(full, speedup, stages.tries)
            yield full
    if stages.fit:
        yield from _fitted(full, tell)


def _fitted(full: CalibrationRuns, tell: Callable[[str, float], None]) -> Iterator[CalibrationRuns]:
    plans = [plan for plan in full.kernel.proven if plan.quality is not None and plan.quality < ALIKE_FROM
             and not plan.changes]
    more = sum(gauss_newton.cost(full, plan) for plan in plans)
    for plan in plans:
        speedup = len(full.kernel.times) / len(plan.computed)
        tell(f"fitting weights for {speedup:.2g}x", more)
        full = with_plan(full, gauss_newton.fitted(
            full, plan, lambda share: tell(f"fitting weights for {speedup:.2g}x: {share:.0%}", 0.)))
        more = 0.
        yield full
