"""Runs in pairs: each is compared with the unpatched ones right before and after it, as load and heat change."""

import time
from dataclasses import dataclass
from statistics import median
from typing import Callable, Iterator, Sequence

import torch

Run = Callable[[], object]


@dataclass(frozen=True)
class Seconds:
    """wall: of a clock; cpu: of computing by this process, which other programs on the machine hardly change."""
    wall: float
    cpu: float


@dataclass(frozen=True)
class Pair:
    """A run by its number among the contestants, and what it is compared with: the mean of the reference runs around
    it."""
    number: int
    run: Seconds
    reference: Seconds


def clocked(run: Run) -> Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def step_times(run: Callable[[Callable], object]) -> list[float]:
    """Seconds of processor time that a run takes until its first step is done, its second, and so on to its end.

    run: is given what it is to call at each step, after the model.
    """
    marks = [time.process_time()]
    run(lambda *_: marks.append(time.process_time()))
    marks.append(time.process_time())
    return [after - before for before, after in zip(marks, marks[1:])]


def race(reference: Run, contestants: Sequence[Run], rounds: int) -> Iterator[Pair]:
    """Reference, contestant, reference, next contestant, ..., reference, so many rounds."""
    before = clocked(reference)
    for _ in range(rounds):
        for number, contestant in enumerate(contestants):
            run, after = clocked(contestant), clocked(reference)
            yield Pair(number, run, Seconds((before.wall + after.wall) / 2, (before.cpu + after.cpu) / 2))
            before = after


def speedups(pairs: Sequence[Pair]) -> Seconds:
    """How many times faster than the reference by either clock, medians."""
    return Seconds(median(pair.reference.wall / pair.run.wall for pair in pairs),
                   median(pair.reference.cpu / pair.run.cpu for pair in pairs))
