"""Runs in pairs: each is compared with the unpatched one right before it, as load and heat change."""

import time
from dataclasses import dataclass
from statistics import median
from typing import Callable, Iterator, Sequence

import torch

Run = Callable[[Callable], object]  # is given what it is to call at each step, after the model


@dataclass(frozen=True)
class Timing:
    """Seconds of a run. wall: of a clock; steps: of computing by this process until the first step was done, the
    second, and so on to the end."""
    wall: float
    steps: tuple[float, ...]


@dataclass(frozen=True)
class Pair:
    """A run by its number among the contestants, and the reference run before it."""
    number: int
    run: Timing
    reference: Timing


@dataclass(frozen=True)
class Realised:
    wall: float
    cpu: float


def clocked(run: Run) -> Timing:
    wall, marks = time.perf_counter(), [time.process_time()]
    run(lambda *_: marks.append(time.process_time()))
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    marks.append(time.process_time())
    return Timing(time.perf_counter() - wall, tuple(after - before for before, after in zip(marks, marks[1:])))


def race(reference: Run, contestants: Sequence[Run], rounds: int) -> Iterator[Pair]:
    """Reference, contestant, reference, next contestant, ..., so many rounds."""
    for _ in range(rounds):
        for number, contestant in enumerate(contestants):
            before = clocked(reference)
            yield Pair(number, clocked(contestant), before)


def least(timings: Sequence[Timing]) -> float:
    """Seconds of a run each of whose steps takes as little as in any of these: other programs only add to a step."""
    return sum(map(min, zip(*(timing.steps for timing in timings))))


def realised(pairs: Sequence[Pair]) -> Realised:
    """How many times faster than the reference: by the clock, a median; by processor time, the least of each step."""
    return Realised(median(pair.reference.wall / pair.run.wall for pair in pairs),
                    least([pair.reference for pair in pairs]) / least([pair.run for pair in pairs]))
