"""How alike a model's outputs are at any two times of sampling, measured once: all that forecasting has to know."""

import hashlib
import json
from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import Sequence

import numpy as np

from .constants import KERNEL_LENGTHS, LEAST_GROWTH, MOST_GROWTH
from .proven_plan import ProvenPlan

SAME = 1e-3  # times that differ by less are those of one schedule
EDGE = 1e-3  # times this close to 0 and 1 count as one: their log-SNR is infinite
APART = 1e-6  # of log-SNR: what is measured at closer times is one measurement
DIGITS = 12  # hexadecimal, of a digest


@dataclass(frozen=True, eq=False)
class Kernel:
    """gram[i, j] = <v(times[i]), v(times[j])>, the mean over what was measured, scaled to a mean diagonal of 1.

    v is the model's output as the velocity of a flow, noise minus picture; times descend from noise (1) to picture (0).
    proven: plans at these times that came closest in runs of the model (calibration.py).
    growth: how errors of the latent grow (latent_error.Rules); None where it was not measured.
    end: the time that the last evaluation leads to. streams: the kernels of the latent's streams where it has several,
    such as picture and sound, of which `gram` is the mean (streams.py).
    source: what people know it by, the name of its file; empty where it is in none, or in several.
    """
    times: np.ndarray  # (T,)
    gram: np.ndarray  # (T, T)
    proven: tuple[ProvenPlan, ...] = ()
    growth: float | None = None
    end: float = 0.
    streams: tuple["Kernel", ...] = ()
    source: str = field(default="", compare=False)

    def __post_init__(self):
        count = len(self.times)
        if count < 2 or not (np.diff(self.times) < 0).all() or not 0 <= self.times[-1] < self.times[0] <= 1:
            raise ValueError("the times of a kernel are two or more in (0, 1], descending")
        if self.gram.shape != (count, count):
            raise ValueError(f"a kernel of {count} times needs {count} x {count} numbers, not {self.gram.shape}")
        if not np.isfinite(self.gram).all():
            raise ValueError("the numbers of a kernel are not all finite")
        if abs(np.trace(self.gram) / count - 1) > .01:
            raise ValueError("the numbers of a kernel are not scaled to a mean diagonal of 1")
        if not np.allclose(self.gram, self.gram.T, atol=1e-6) or np.linalg.eigvalsh(self.gram)[0] < -1e-6 * count:
            raise ValueError("the numbers of a kernel are no inner products: not symmetric, or not positive")
        if self.growth is not None and not LEAST_GROWTH <= self.growth <= MOST_GROWTH:
            raise ValueError(f"growth is {self.growth:g}; use {LEAST_GROWTH:g} to {MOST_GROWTH:g}")
        if not 0 <= self.end <= self.times[-1]:
            raise ValueError(f"a kernel ends at a time between 0 and its last, {self.times[-1]:g}, not {self.end:g}")
        if any(not np.array_equal(stream.times, self.times) for stream in self.streams):
            raise ValueError("the streams of a kernel are measured at its times")
        for plan in self.proven:
            if plan.computed[-1] >= count:
                raise ValueError(f"{str(plan.computed)[:80]} is no choice of some of {count} evaluations")

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, Kernel) and self._plain == other._plain and np.array_equal(self.times, other.times)
                and np.array_equal(self.gram, other.gram))

    def __hash__(self) -> int:
        return hash((self.times.tobytes(), self.gram.tobytes(), self._plain))

    @property
    def _plain(self) -> tuple:
        """All of it but the arrays."""
        return self.proven, self.growth, self.end, self.streams

    @cached_property
    def digest(self) -> str:
        """By which two runs can be told to go by the same numbers, whatever file these are in."""
        numbers = [written(row) for row in (self.times, *self.gram)]
        proven = [astuple(plan) if plan.way else plan.computed for plan in self.proven]
        text = json.dumps([numbers, proven, self.growth])
        return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]

    def measured_at(self, times: Sequence[float]) -> bool:
        """Whether these are its times."""
        return len(times) == len(self.times) and np.allclose(times, self.times, atol=SAME)

    def proven_at(self, times: Sequence[float]) -> dict[int, ProvenPlan]:
        """The plans that did best at these times, by the number of evaluations that they compute."""
        if not self.measured_at(times):
            return {}
        return {len(plan.computed): plan for plan in reversed(self.proven)}

    def at(self, times: np.ndarray) -> np.ndarray:
        """The Gram matrix (S, S) at other times (S,), by kriging: between and beyond the times that were measured the
        outputs are taken for a random process, as smooth and as large as makes the measured ones most likely. What is
        not known of them counts as error, so that no forecast relies on it.
        """
        (nodes, gram), wanted = self._measured, log_snr(np.asarray(times))
        length, variance = self._process
        mix = np.linalg.solve(_covariance(nodes, nodes, length), _covariance(nodes, wanted, length)).T  # (S, T)
        unknown = _covariance(wanted, wanted, length) - mix @ _covariance(nodes, wanted, length)
        return mix @ gram @ mix.T + variance * unknown

    @cached_property
    def _measured(self) -> tuple[np.ndarray, np.ndarray]:
        """Log-SNRs, all different, and the numbers of the kernel for them."""
        nodes = log_snr(self.times)
        apart = np.flatnonzero(np.diff(nodes, prepend=-np.inf) > APART)
        return nodes[apart], self.gram[np.ix_(apart, apart)]

    @cached_property
    def _process(self) -> tuple[float, float]:
        """The length scale and variance of greatest likelihood."""
        (nodes, gram), best = self._measured, (np.inf, 0., 0.)
        for length in max(nodes[-1] - nodes[0], APART) * KERNEL_LENGTHS:
            covariance = _covariance(nodes, nodes, length)
            variance = float(np.trace(np.linalg.solve(covariance, gram))) / len(nodes)
            unlikely = len(nodes) * np.log(max(variance, 1e-300)) + np.linalg.slogdet(covariance)[1]
            best = min(best, (unlikely, float(length), variance))
        return best[1:]


def mean(kernels: Sequence[Kernel]) -> Kernel:
    """Of kernels at the same times."""
    streams = zip(*(kernel.streams for kernel in kernels))
    return Kernel(kernels[0].times, sum(kernel.gram for kernel in kernels) / len(kernels), end=kernels[0].end,
                  streams=tuple(map(mean, streams)))


def written(numbers: np.ndarray) -> list[str]:
    """Numbers as files have them."""
    return [f"{number:.12g}" for number in numbers]


def log_snr(times: np.ndarray) -> np.ndarray:
    """The log signal-to-noise ratio at times of a flow, x = (1 - t) * picture + t * noise."""
    clipped = np.clip(times, EDGE, 1 - EDGE)
    return 2 * np.log((1 - clipped) / clipped)


def _covariance(a: np.ndarray, b: np.ndarray, length: float) -> np.ndarray:
    """Matern 3/2: smooth enough for a line, not so smooth as to promise more. With a trace of noise for the solver."""
    distance = np.sqrt(3) * np.abs(a[:, None] - b) / length
    return (1 + distance) * np.exp(-distance) + 1e-10 * (a[:, None] == b)
