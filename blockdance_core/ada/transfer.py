"""Decisions of one number of steps, carried over to another: through normalised time, from rho (0) to the end (1)."""

import math
from typing import Sequence

import numpy as np

from .choices import COMPUTE


def transfer(decisions: Sequence[int], steps: int, begin: float = 0., end: float = 1.) -> tuple[int, ...]:
    """The decisions for `steps` steps that share the normalised time from `begin` to `end` evenly.

    A pattern such as "compute every second step" would be lost if each step took over what stands at its time. So it is
    the computed steps that are counted: at any time as large a share of the steps before it is computed as in the
    original. Borders are those of the nearest reusing step. As many steps of the whole time are the original itself.
    """
    if not 0 <= begin < end <= 1:
        raise ValueError(f"a part of normalised time from {begin:g} to {end:g}; use 0 <= begin < end <= 1")
    count = len(decisions)
    ends = [index + 1. for index, decision in enumerate(decisions) if decision == COMPUTE]
    scale = steps / (count * (end - begin))

    def computed(time: float) -> int:
        """How many of the new steps before a time are to be computed. Between two of the original's it grows evenly."""
        so_far = np.interp(time * count, [0., *ends], range(len(ends) + 1))
        return math.floor(so_far * scale + 1e-6)

    reusing = [index for index, decision in enumerate(decisions) if decision != COMPUTE]
    times = [begin + (end - begin) * step / steps for step in range(steps + 1)]
    result = []
    for start, stop in zip(times, times[1:]):
        if not reusing or computed(stop) > computed(start):
            result.append(COMPUTE)
        else:
            middle = (start + stop) / 2 * count - .5
            result.append(decisions[min(reusing, key=lambda index: abs(index - middle))])
    return tuple(result)
