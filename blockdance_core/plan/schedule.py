"""The noise levels of a run: its sigmas, the stretches in which they fall, and the time of a flow that each stands for.

Sigmas may also repeat, rise (padding, restarts, chained samplers) or stay at 0. A step whose sigma does not fall leads
nowhere that a forecast knows of, so it is computed; after a rise the next stretch begins.

Every kind of diffusion is put in the terms of a flow: x = (1 - t) * picture + t * noise, for t from 1 to 0. A flow
model is one already. Where the noise is added on top (EPS, v-prediction, EDM), x / (1 + sigma) is one with
t = sigma / (1 + sigma), and Euler's steps are the same in both.
"""

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Callable, Sequence

import torch

ROUNDING = 1e-4  # of a sigma: a smaller rise is none
# Samplers nudge sigmas by up to 1e-4 of their value, and float32 tables round; neither may move a border by a step.
TOLERANCE = 1e-4


class Quantity(Enum):
    """What is forecast of an output: either tells the other, as the latent is known."""
    VELOCITY = "velocity"  # noise minus picture: smooth where nothing but the model moves the latent
    PICTURE = "picture"  # the denoised latent: smooth also where the sampler adds noise at every step


@dataclass(frozen=True)
class FlowTime:
    """A sigma as the time of a flow, and outputs in its terms. flow: whether the model is a flow already."""
    flow: bool = True

    def time(self, sigma: float) -> float:
        if not self.flow:
            return sigma / (1 + sigma)
        return 1. if 1 < sigma <= 1 + ROUNDING else sigma  # shifts in float32 end a little above pure noise

    def read(self, quantity: Quantity, latent: torch.Tensor, denoised: torch.Tensor, sigma: float) -> torch.Tensor:
        """The quantity, of a latent that was evaluated at sigma and the picture that came of it."""
        if quantity is Quantity.PICTURE:
            return denoised
        return (self._latent(latent, sigma) - denoised) / self.time(sigma)

    def denoised(self, quantity: Quantity, latent: torch.Tensor, value: torch.Tensor, sigma: float) -> torch.Tensor:
        """The picture that a value of the quantity means for this latent."""
        if quantity is Quantity.PICTURE:
            return value
        return self._latent(latent, sigma) - self.time(sigma) * value

    def _latent(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        return latent if self.flow else latent / (1 + sigma)


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
        if not found or start > lowest * (1 + ROUNDING) or time_of(start) >= time_of(sigmas[found[-1][-1]]):
            found.append([])
        found[-1].append(step)
        lowest = end
    return tuple(Stretch(tuple(steps), tuple(time_of(sigmas[step]) for step in (*steps, steps[-1] + 1)))
                 for steps in found)


class Origin(Enum):
    """How it is known what a sampler does."""
    NAME = "a table of names"
    RUN = "observed in a run"
    GUESS = "assumed"


@dataclass(frozen=True)
class SamplerTraits:
    """How a sampler uses the model.

    counted: it evaluates once a step, in order. steady: it adds no noise of its own. whole: all it takes from an
    evaluation is the result; the CFG++ samplers take the unconditional part, too, while it is computed. name: of
    ComfyUI's function, empty for what has none. key: of what is observed of it, with the options that it was given.
    shown: whether its latents show what it does; not where a mask or another node has a hand in them. pattern: of one
    with several evaluations a step, how many steps further each of them belongs; empty where that is not known.
    known: it is ComfyUI's own, so that what it evaluates is the whole latent, in place.
    """
    counted: bool = True
    steady: bool = True
    whole: bool = True
    name: str = ""
    key: str = ""
    origin: Origin = Origin.NAME
    shown: bool = True
    pattern: tuple[int, ...] = ()
    known: bool = True

    @property
    def quantity(self) -> Quantity:
        """What is measured, and extrapolated, of a sampler like this."""
        return Quantity.VELOCITY if self.steady else Quantity.PICTURE


@dataclass(frozen=True)
class Schedule:
    """The sigmas of a run, one more than it has steps, and the model's map from a percent of sampling to a sigma.

    streams: the sizes of what is packed one after the other in the last dimension of the latent, where that is several.
    way: of sampling, in words: the sampler with its options, guidance and the latent's size, which together with the
    noise levels make runs of one model alike; empty where that is not known.

    Percents are those of ComfyUI's start/end inputs: equal to the fraction of the steps for uniform schedulers in a
    full run, and tied to the noise level, not to the step number, for img2img and split runs.
    """
    sigmas: tuple[float, ...]
    percent_to_sigma: Callable[[float], float]
    flow_time: FlowTime = FlowTime()
    sampler: SamplerTraits = SamplerTraits()
    streams: tuple[int, ...] = ()
    way: str = ""

    @classmethod
    def even(cls, steps: int) -> "Schedule":
        """Equal steps of a full run, for a plan before the model is known: the noise left is the sampling left."""
        return cls(tuple(1 - step / steps for step in range(steps + 1)), lambda percent: 1 - percent)

    @property
    def steps(self) -> int:
        return max(0, len(self.sigmas) - 1)

    @property
    def times(self) -> tuple[float, ...]:
        """The sigmas as times of a flow, from noise (1) to picture (0)."""
        return tuple(map(self.flow_time.time, self.sigmas))

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """Where the noise falls from step to step."""
        return stretches_of(self.sigmas, self.flow_time.time)

    @property
    def evaluations(self) -> tuple[int, ...] | None:
        """The step that each evaluation of the run belongs to; None where it is not known when the sampler evaluates.

        A step that ends without noise has one evaluation, whatever the sampler."""
        pattern = (0,) if self.sampler.counted else self.sampler.pattern
        if not pattern:
            return None
        last = self.steps - 1
        return tuple(min(step + further, last) for step in range(self.steps)
                     for further in (pattern if self.sigmas[step + 1] > 0 else pattern[:1]))

    def window(self, start: float, end: float) -> tuple[int, ...]:
        """The steps whose sigma lies between two percents of sampling, `start` included."""
        highest = self.percent_to_sigma(start) * (1 + TOLERANCE)
        lowest = self.percent_to_sigma(end) * (1 + TOLERANCE)
        return tuple(step for step in range(self.steps) if lowest < self.sigmas[step] <= highest)

    def percent_at(self, sigma: float) -> float:
        """The percent of sampling, in [0, 1], that stands for this sigma."""
        low, high = 0., 1.
        while high - low > 1e-6:
            middle = (low + high) / 2
            low, high = (middle, high) if self.percent_to_sigma(middle) > sigma else (low, middle)
        return (low + high) / 2

    def step_at(self, sigma: float, since: int = 0) -> int:
        """The step that an evaluation at this sigma belongs to: the last one that starts at or above it.

        Samplers also evaluate between the sigmas of a schedule, and above the first one when they add noise. For a
        schedule that does not descend (unsampling, restarts), the nearest step; of several the first one `since`
        the step of the evaluation before.
        """
        starts = self.sigmas[:-1]
        if any(a < b for a, b in zip(starts, starts[1:])):
            far = [abs(start - sigma) for start in starts]
            nearest = [step for step, distance in enumerate(far) if distance <= min(far) + TOLERANCE * abs(sigma)]
            return next((step for step in nearest if step >= since), nearest[-1])
        above = sum(start >= sigma * (1 - TOLERANCE) for start in starts)
        return max(0, above - 1)
