"""Plans that came closest in runs. The first few that a search finds are expected to be nearly equal, and are not."""

import math
from dataclasses import replace
from typing import Callable, Iterator, Sequence

import numpy as np
import torch

from ..flow_time import Quantity
from .drift import Rules
from .forecaster import KernelForecaster
from .kernel import Kernel
from .planner import Candidate, rules_for, search

SPEEDUPS = 1.5, 2., 2.5, 3., 4.
FAILED = 1e3  # dB


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


def _candidates(kernel: Kernel, quantity: Quantity, tries: int) -> Iterator[tuple[Candidate, ...]]:
    """For each of the speed-ups the choices to try, at the times of the kernel."""
    times = np.append(kernel.times, 0.)
    for count in sorted({count_of(len(kernel.times), speedup) for speedup in SPEEDUPS}, reverse=True):
        yield ranked(KernelForecaster(kernel, quantity), times, count, tries)[1]


def count_of(steps: int, speedup: float) -> int:
    """How many evaluations a speed-up leaves."""
    return math.ceil(steps / speedup - 1e-9)


def refined(kernel: Kernel, quantity: Quantity, tries: int,
            errors_of: Callable[[Kernel, int], Sequence[torch.Tensor]]) -> Kernel:
    """The kernel with the choice that came closest for each of the speed-ups.

    errors_of: the latents' errors in some runs by a kernel that has one proven choice, of so many evaluations. A choice
    takes the place of the one that a search would make where it is closer by more than chance, in dB.
    """
    proven = []
    for choices in _candidates(kernel, quantity, tries):
        errors = [errors_of(replace(kernel, proven=(choice.computed,)), len(choice.computed)) for choice in choices]
        proven.append(choices[_closest(np.array([list(map(_decibels, runs)) for runs in errors]))].computed)
    return replace(kernel, proven=tuple(proven))


def _closest(errors: np.ndarray) -> int:
    """The choice (C, R) with the least mean over R runs; the first where the difference is within its own error."""
    gains = errors[0] - errors
    best = int(np.argmax(gains.mean(1)))
    runs = gains.shape[1]
    chance = gains[best].std(ddof=1) / math.sqrt(runs) if runs > 1 else 0.
    return best if gains[best].mean() > chance else 0


def _decibels(error: torch.Tensor) -> float:
    """10 times the logarithm of the mean square; of a run that has failed, more than any other has."""
    square = float(error.double().square().mean())
    return 10 * math.log10(max(square, 1e-30)) if math.isfinite(square) else FAILED
