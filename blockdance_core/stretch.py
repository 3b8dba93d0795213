"""The stretches of a schedule in which the noise falls: all that can be planned and forecast of a run.

Sigmas may also repeat, rise (padding, restarts, chained samplers) or stay at 0. A step whose sigma does not fall leads
nowhere that a forecast knows of, so it is computed; after a rise the next stretch begins.
"""

from dataclasses import dataclass
from typing import Callable, Sequence

ROUNDING = 1e-4  # of a sigma: a smaller rise is none


@dataclass(frozen=True)
class Stretch:
    """steps: their numbers, ascending; times: of their evaluations and of what the last one leaves, in those of a
    flow, descending, one more than there are steps."""
    steps: tuple[int, ...]
    times: tuple[float, ...]

    def __post_init__(self):
        if len(self.times) != len(self.steps) + 1:
            raise ValueError(f"{len(self.steps)} steps have {len(self.steps) + 1} times, not {len(self.times)}")
        if any(later >= earlier for earlier, later in zip(self.times, self.times[1:])):
            raise ValueError("the times of a stretch fall throughout")

    def __len__(self) -> int:
        return len(self.steps)


def stretches_of(sigmas: Sequence[float], time_of: Callable[[float], float]) -> tuple[Stretch, ...]:
    """The stretches of a schedule. A repeated sigma belongs to the step that goes on from it."""
    found: list[list[int]] = []
    lowest = 0.
    for step, (start, end) in enumerate(zip(sigmas, sigmas[1:])):
        if not time_of(end) < time_of(start):
            continue
        if not found or start > lowest * (1 + ROUNDING):
            found.append([])
        found[-1].append(step)
        lowest = end
    return tuple(Stretch(tuple(steps), tuple(time_of(sigmas[step]) for step in (*steps, steps[-1] + 1)))
                 for steps in found)
