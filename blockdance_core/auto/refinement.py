"""Plans that came closest in runs. The first few that a search finds are expected to be nearly equal, and are not."""

import math
from dataclasses import replace
from typing import Callable, Iterator

import numpy as np

from ..flow_time import Quantity
from .drift import Rules
from .forecaster import KernelForecaster
from .kernel import Kernel
from .planner import Candidate, rules_for, search

SPEEDUPS = 1.5, 2., 2.5, 3., 4.


def ranked(forecaster: KernelForecaster, times: np.ndarray, count: int, each: int = 1
           ) -> tuple[Rules, tuple[Candidate, ...]]:
    """The choices of `count` evaluations that are expected to be the best, as many as `each`, and the rules by which.

    times: (T + 1,) of the evaluations and of the result.
    """
    gram, rules = forecaster.gram(times[:-1]), forecaster.rules
    found = search(gram, times, rules, forecaster.quantity, fewest=count, most=count, each=each)
    better = rules_for(found[0].quality, rules)
    if better != rules:
        found = search(gram, times, better, forecaster.quantity, fewest=count, most=count, each=each)
    return better, found


def candidates(kernel: Kernel, quantity: Quantity, tries: int) -> Iterator[tuple[Candidate, ...]]:
    """For each of the speed-ups the choices to try, at the times of the kernel."""
    times = np.append(kernel.times, 0.)
    for count in sorted({count_of(len(kernel.times), speedup) for speedup in SPEEDUPS}, reverse=True):
        yield ranked(KernelForecaster(kernel, quantity), times, count, tries)[1]


def count_of(steps: int, speedup: float) -> int:
    """How many evaluations a speed-up leaves."""
    return math.ceil(steps / speedup - 1e-9)


def refined(kernel: Kernel, quantity: Quantity, tries: int, error_of: Callable[[Kernel, int], float]) -> Kernel:
    """The kernel with the choice that came closest for each of the speed-ups.

    error_of: of runs by a kernel that has one proven choice, of so many evaluations; not finite where they failed.
    """
    proven = []
    for choices in candidates(kernel, quantity, tries):
        errors = [error_of(replace(kernel, proven=(choice.computed,)), len(choice.computed)) for choice in choices]
        proven.append(choices[int(np.argmin(np.nan_to_num(errors, nan=np.inf)))].computed)
    return replace(kernel, proven=tuple(proven))
