"""A full run that is measured: its outputs are made into a kernel."""

from dataclasses import dataclass, replace
from typing import Callable, Sequence

import numpy as np
import torch

from ..engine.controller import PlanController, Setup
from ..plan.plan import Plan, Transformer
from ..plan.schedule import TOLERANCE, Origin, Quantity, Schedule
from .constants import FEWEST_MEASURED, MOST_MEASURED
from .kernel import Kernel, mean
from .sampler_observation import Observation, Places, Samplers, keep_observed
from .streams import parts_of

SAMPLED = 2 ** 17  # numbers kept of an evaluation, 512 KiB; 50 evaluations take 25 MiB at most


class Measurement:
    """An Observer (engine/controller.py) of a run's outputs. `save` gets the kernel of a finished run and says what
    came of it.

    It is that of the longest stretch of evaluations whose noise falls; of several at one noise level the last counts.
    The streams of a latent are measured apart, each by an equal part of SAMPLED numbers or all that it has.
    """

    def __init__(self, schedule: Schedule, quantity: Quantity, save: Callable[[Quantity, Kernel], str],
                 observation: Observation | None = None, samplers: Samplers | None = None):
        """observation: of a sampler that is not known, and so decides on the quantity at the end; samplers: keeps what
        was observed."""
        self._schedule = schedule
        self._flow_time = schedule.flow_time
        self._quantity = quantity
        self._save = save
        self._observation = observation
        self._samplers = samplers
        self._quantities = (quantity,) if observation is None else tuple(Quantity)
        self._places = [Places(SAMPLED // max(1, len(schedule.streams))) for _ in schedule.streams or (0,)]
        self._times: list[float] = []
        self._samples: list[torch.Tensor] = []  # (quantities, n) each
        self._longest: tuple[list[float], list[torch.Tensor]] = [], []  # before a rise of the noise

    def observe(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        if self._observation is not None:
            self._observation.observe(latent, denoised, sigma, whole)
        time = self._flow_time.time(sigma)
        if not 0 < time <= 1:  # no noise is left, and no velocity; or more than all of it
            return
        if self._times and time > self._times[-3:][0]:  # some samplers go back, by an evaluation or two
            self._longest, self._times, self._samples = self._best(), [], []
        if self._times and time == self._times[-1]:
            self._times.pop()
            self._samples.pop()
        if self._times and time > self._times[-1]:
            return
        if len(self._times) == 2 * MOST_MEASURED:
            del self._times[1::2], self._samples[1::2]
        latent, denoised = map(self._sampled, (latent, denoised))
        self._times.append(time)
        self._samples.append(torch.stack([self._flow_time.read(quantity, latent, denoised, sigma)
                                          for quantity in self._quantities]))

    def finish(self) -> str:
        times, samples = self._best()
        sizes = [places.count for places in self._places]
        self._samples, self._longest, self._places = [], ([], []), []  # the report of a run outlives it
        traits = self._observation and self._observation.traits()
        if self._observation is not None:
            self._quantity = traits.quantity if traits else Quantity.PICTURE
        if len(times) < 2 or (self._observation is not None and len(times) < FEWEST_MEASURED):
            return (f"nothing was measured: {len(times)} evaluations in a row had less and less noise, which says too "
                    "little of the model; BlockDance Calibrate measures it with another sampler, such as euler")
        chosen = np.linspace(0, len(times) - 1, min(MOST_MEASURED, len(times))).round().astype(int).tolist()
        row = self._quantities.index(self._quantity)
        outputs = torch.stack([samples[place][row] for place in chosen]).cpu()
        times = [times[place] for place in chosen]
        saved = self._save(self._quantity, kernel_of(times, outputs, self._end_of(times), sizes))
        return "; ".join(filter(None, (saved, keep_observed(traits, self._samplers))))

    def _sampled(self, tensor: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) -> (n,), those of the first stream first."""
        parts = parts_of(tensor, self._schedule.streams) if len(self._places) > 1 else (tensor,)
        return torch.cat([places.of(part) for places, part in zip(self._places, parts)])

    def _end_of(self, times: list[float]) -> float:
        """The time that the last of these evaluations leads to."""
        return max((time for stretch in self._schedule.stretches for time in stretch.times
                    if time < times[-1] * (1 - TOLERANCE)), default=0.)

    def _best(self) -> tuple[list[float], list[torch.Tensor]]:
        """The longest stretch so far."""
        return max(self._longest, (self._times, self._samples), key=lambda stretch: len(stretch[0]))


def measurement_of(schedule: Schedule, save: Callable[[Quantity, Kernel], str], samplers: Samplers | None
                   ) -> Measurement:
    """Of a run of this schedule; save, samplers: as of Measurement."""
    observation = Observation(schedule) if schedule.sampler.origin is Origin.GUESS else None
    return Measurement(schedule, schedule.sampler.quantity, save, observation, samplers)


def measurable(schedule: Schedule) -> bool:
    """Whether a run of this schedule says enough of a model to plan others by it, in the range of noise that it goes
    through. Whether a sampler evaluates as it has to shows in the run where it is not known."""
    usable = schedule.sampler.counted or schedule.sampler.origin is Origin.GUESS
    return usable and max(map(len, schedule.stretches), default=0) >= FEWEST_MEASURED


@dataclass(frozen=True)
class MeasureMethod:
    """Compute everything and record. save, samplers: as of Measurement."""
    save: Callable[[Quantity, Kernel], str]
    name: str = "BlockDance Calibrate"
    samplers: Samplers | None = None

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        if schedule.sampler.origin is Origin.NAME and not schedule.sampler.counted:
            raise ValueError("this sampler evaluates the model several times a step, which makes no profile: measure "
                             "with another, such as euler or dpmpp_2m; the profile serves this one, too")
        if not measurable(schedule):
            longest = max(map(len, schedule.stretches), default=0)
            raise ValueError(f"{longest} steps of falling noise say too little of a model: use {FEWEST_MEASURED} or "
                             "more")
        return Plan.from_reuses([None] * schedule.steps)

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        return PlanController(self.setup(schedule, transformer), schedule)

    def setup(self, schedule: Schedule, transformer: Transformer) -> Setup:
        """What a run begins with."""
        return Setup(self.plan(schedule, transformer), observer=measurement_of(schedule, self.save, self.samplers))


def kernel_of(times: list[float], outputs: torch.Tensor, end: float = 0., sizes: Sequence[int] = ()) -> Kernel:
    """The kernel of the outputs (T, n) of one run. sizes: how many of the n numbers are of each stream, if there are
    several; the kernel is then the mean of theirs, each scaled to its own size."""
    if len(sizes) > 1 and min(sizes) > 0:
        streams = tuple(_of_one(times, part, end) for part in outputs.split(list(sizes), 1))
        return replace(mean(streams), streams=streams)
    return _of_one(times, outputs, end)


def _of_one(times: list[float], outputs: torch.Tensor, end: float) -> Kernel:
    outputs = outputs.double()  # the products differ in the eighth digit
    gram = (outputs @ outputs.T).numpy()
    if not gram.any():  # a stream of zeros stays what it is
        gram = np.ones_like(gram)
    return Kernel(np.array(times), gram / (np.trace(gram) / len(gram)), end=end)
