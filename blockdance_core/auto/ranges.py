"""Ranges of noise: which one a kernel was measured in, and kernels of several ranges as one.

A run may see a part of the noise only: one of two experts, a refiner, a second pass, image-to-image. What it shows is a
kernel that begins and ends within.
"""

from typing import Sequence

import numpy as np

from .constants import CLOSE
from .kernel import SAME, Kernel

SLACK = .1  # of a run's own range that may be missing at either end; kriging takes that for unknown
JOINT = 3  # times in both kernels that their ranges are joined by, at most


def covers(kernel: Kernel, times: Sequence[float]) -> bool:
    """Whether a run through these times, descending, stays where the kernel was measured, and that closely enough."""
    slack = SLACK * (times[0] - times[-1])
    close = len(kernel.times) >= min(CLOSE, len(times) - 1)
    return close and kernel.times[0] >= times[0] - slack and kernel.end <= times[-1] + slack


def within(kernel: Kernel, times: Sequence[float]) -> int:
    """How many evaluations were measured in the range of a run through these times."""
    return int(((kernel.times <= times[0] + SAME) & (kernel.times > times[-1] - SAME)).sum())


def merged(kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """Kernels of one model whose ranges meet or overlap as one, which is then known throughout; in the order of time.

    Where two overlap, the earlier in the row counts. What no single run has seen, products of an output from one range
    with one from another, follows from what both have in common at their border and is else unknown.
    """
    found: list[Kernel] = []
    for kernel in kernels:
        apart = []
        for other in found:
            if min(kernel.times[0], other.times[0]) < max(kernel.end, other.end) - SAME:
                apart.append(other)
            else:
                kernel = _joined(other, kernel)
        found = [*apart, kernel]
    return tuple(sorted(found, key=lambda kernel: -kernel.times[0]))


def _joined(first: Kernel, second: Kernel) -> Kernel:
    """The first as it is, and what the second adds before and after it."""
    gram = _completed(first, second)
    times = np.concatenate([first.times, _added(first, second)])
    order = np.argsort(-times)
    end = min(first.end, second.end)
    streams = ()
    if len(first.streams) == len(second.streams):
        streams = tuple(map(_joined, first.streams, second.streams))
    joined = gram[np.ix_(order, order)]
    growth = second.growth if first.growth is None else first.growth
    return Kernel(times[order], joined / (np.trace(joined) / len(joined)), growth=growth, end=end, streams=streams)


def _added(first: Kernel, second: Kernel) -> np.ndarray:
    """The times of the second that are outside of the first."""
    times = second.times
    return times[(times > first.times[0] + SAME) | (times < first.times[-1] - SAME)]


def _completed(first: Kernel, second: Kernel) -> np.ndarray:
    """The Gram matrix of the times of the first and those that the second adds, before it and after it.

    v = W b + r for an output v that the second adds, with b the outputs at the border, r what these do not say of it,
    and W as the second has it by kriging. The products of b are taken from the first, which also sets the scale.
    """
    gram = first.gram
    added = _added(first, second)
    for part, border in ((added[added > first.times[-1]], range(min(JOINT, len(first.times)))),
                         (added[added < first.times[-1]], range(max(0, len(first.times) - JOINT), len(first.times)))):
        if not len(part):
            continue
        border = list(border)
        known = second.at(np.concatenate([first.times[border], part]))
        known *= np.trace(first.gram[np.ix_(border, border)]) / np.trace(known[:len(border), :len(border)])
        own, cross = known[:len(border), :len(border)], known[len(border):, :len(border)]
        size = np.trace(own) / len(own)
        mix = np.linalg.solve(own + 1e-6 * size * np.eye(len(own)), cross.T).T  # (P, B)
        rest = known[len(border):, len(border):] - mix @ cross.T - cross @ mix.T + mix @ own @ mix.T
        rows = mix @ gram[border]  # with all outputs so far
        gram = np.block([[gram, rows.T], [rows, mix @ first.gram[np.ix_(border, border)] @ mix.T + rest]])
    return gram
