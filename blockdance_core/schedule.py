"""The steps of a sampling run, in numbers that policies can reason about."""

from dataclasses import dataclass
from typing import Callable

from .flow_time import FlowTime

# Samplers nudge sigmas by up to 1e-4 of their value, and float32 tables round; neither may move a border by a step.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class SamplerTraits:
    """How a sampler uses the model.

    counted: it evaluates once a step, in order. steady: it adds no noise of its own. whole: all it takes from an
    evaluation is the result; the CFG++ samplers take the unconditional part, too, while it is computed. name: of
    ComfyUI's function, empty for what has none. known: it is ComfyUI's own, so that what it evaluates is the whole
    latent, in place.
    """
    counted: bool = True
    steady: bool = True
    whole: bool = True
    name: str = ""
    known: bool = True


@dataclass(frozen=True)
class Schedule:
    """The sigmas of a run, one more than it has steps, and the model's map from a percent of sampling to a sigma.

    Percents are those of ComfyUI's start/end inputs: equal to the fraction of the steps for uniform schedulers in a
    full run, and tied to the noise level, not to the step number, for img2img and split runs.
    """
    sigmas: tuple[float, ...]
    percent_to_sigma: Callable[[float], float]
    flow_time: FlowTime = FlowTime()
    sampler: SamplerTraits = SamplerTraits()

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

    @property
    def falls(self) -> bool:
        """Whether the noise gets less with every step."""
        return all(later < earlier for earlier, later in zip(self.sigmas, self.sigmas[1:]))

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

    def step_at(self, sigma: float) -> int:
        """The step that an evaluation at this sigma belongs to: the last one that starts at or above it.

        Samplers also evaluate between the sigmas of a schedule, and above the first one when they add noise. For a
        schedule that does not descend (unsampling, restarts), the nearest step.
        """
        starts = self.sigmas[:-1]
        if any(a < b for a, b in zip(starts, starts[1:])):
            return min(range(len(starts)), key=lambda step: abs(starts[step] - sigma))
        above = sum(start >= sigma * (1 - TOLERANCE) for start in starts)
        return max(0, above - 1)
