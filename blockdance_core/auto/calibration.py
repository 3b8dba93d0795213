"""Plans that came closest in runs. The first few that a search finds are expected to be nearly equal, and are not."""

import math
from dataclasses import replace
from typing import Callable, Sequence

import numpy as np
import torch

from ..plan.schedule import Quantity
from .kernel import Kernel
from .method import AutoMethod
from .planner import best, count_of
from .profile import general
from .streams import grams_of
from .weights import KernelExtrapolation

SPEEDUPS = 1.5, 2., 2.5, 3., 4.
FAILED = 1e3  # dB


def refined(kernel: Kernel, quantity: Quantity, tries: int,
            errors_of: Callable[[AutoMethod], Sequence[torch.Tensor]]) -> Kernel:
    """The kernel with the choice that came closest for each of the speed-ups.

    errors_of: the latents' errors in some runs by a method that has one choice only. A choice takes the place of the
    one that a search would make where it is closer, in dB, by more than the standard error of that.
    """
    extrapolation, times, proven = KernelExtrapolation.of(kernel, quantity), np.append(kernel.times, 0.), []
    gram, steps = grams_of(extrapolation, kernel.times), len(kernel.times)
    for count in sorted({count_of(steps, speedup) for speedup in SPEEDUPS}, reverse=True):
        choices = best(gram, times, extrapolation.rules, quantity, count, tries)
        errors = [list(map(_decibels, errors_of(_trial(kernel, choice.computed)))) for choice in choices]
        proven.append(choices[_closest(np.array(errors))].computed)
    return replace(kernel, proven=tuple(proven))


def _trial(kernel: Kernel, choice: tuple[int, ...]) -> AutoMethod:
    """The method that computes this choice, at the times of the kernel."""
    trial = replace(kernel, proven=(choice,))
    return AutoMethod(len(kernel.times) / len(choice), lambda *_: trial, general, corrects=False)


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
