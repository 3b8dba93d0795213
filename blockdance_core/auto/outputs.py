"""The model's outputs in one run: those that were computed, and what the sampler gets instead or of them."""

from typing import Sequence

import numpy as np
import torch

from ..forecast import Forecaster
from .forecaster import Course, KernelForecaster

# A squared error this many times the largest so far, as multiples of the expected one. In runs of three models, other
# numbers of steps, samplers and cfg than those that were measured it was up to 16; where the prompt changed, 8 to 700.
SURPRISE, REPETITION = 20., .8
ROUNDING = 1e-10  # no forecast is expected to be closer than a kernel's own numbers are


class Outputs:
    """Keeps the latest computed outputs, as many as the forecaster reads; (B, C, ...) each, of the latent's shape."""

    def __init__(self, forecaster: Forecaster, times: Sequence[float] | None = None):
        """times: of all evaluations and of the result, where they are known; each output then makes up for the errors
        of those before it."""
        self._forecaster = forecaster
        self._course = Course(forecaster, times) if times and isinstance(forecaster, KernelForecaster) else None
        self._left = len(times or (0,)) - 1  # evaluations of the course
        self._kept: list[tuple[int, float, torch.Tensor]] = []  # evaluation, time, output; newest first
        self._evaluations = 0
        self.broke = False  # whether the latest output was nothing like its forecast
        self._usual = 1.  # the largest error so far, as a multiple of the expected one
        self.peak_bytes = 0

    @property
    def error(self) -> np.ndarray | None:
        """Of the latent, by the course."""
        return self._course and self._course.error

    def follow(self, forecaster: KernelForecaster) -> None:
        """Go on with another view of the outputs, those that are kept included."""
        self._forecaster = forecaster
        if self._course:
            self._course.follow(forecaster)

    @property
    def bytes(self) -> int:
        return sum(output.untyped_storage().nbytes() for _, _, output in self._kept)

    def leave_course(self) -> None:
        """Evaluations are not those that were known: each forecast stands for itself from now on."""
        self._course = None

    def clear(self) -> None:
        self._kept.clear()
        self.leave_course()

    def fit(self, latent: torch.Tensor) -> bool:
        """Whether an output can be forecast for this latent."""
        return bool(self._kept) and self._kept[0][2].shape == latent.shape

    def computed(self, time: float, output: torch.Tensor) -> torch.Tensor:
        """What the sampler gets of a computed output: the same tensor unless earlier forecasts are made up for."""
        if self._kept and self._kept[0][2].shape != output.shape:
            self.clear()
        self._kept = [kept for kept in self._kept if kept[1] != time]  # evaluated again: the newer one counts
        self.broke = self._course is not None and self._breaks(time, output)
        self._kept.insert(0, (self._evaluations, time, output))
        self.peak_bytes = max(self.peak_bytes, self.bytes)
        weights = {self._evaluations: 1.}
        if course := self._next_of_course():
            weights = course.next(computed=True)
        self._evaluations += 1
        result = output if len(weights) == 1 else self._sum(weights)
        del self._kept[self._forecaster.anchors + 1:]
        return result

    def forecast(self, time: float) -> torch.Tensor:
        """An output that was not computed."""
        self.broke = False
        if course := self._next_of_course():
            weights = course.next(computed=False)
        else:
            anchors = self._kept[:self._forecaster.anchors]
            weights = dict(zip((evaluation for evaluation, _, _ in anchors),
                               self._forecaster.weights([time for _, time, _ in anchors], time)))
        self._evaluations += 1
        return self._sum(weights)

    def _breaks(self, time: float, output: torch.Tensor) -> bool:
        """Whether a computed output is so far from its forecast that those before it say little of it.

        The forecast is then no better than a repetition; where it is, or where all forecasts of the run are as far off,
        it is only the measurement that is rough. Reads two numbers back from the device.
        """
        anchors = self._kept[:self._forecaster.anchors]
        if not anchors:
            return False
        if self._left > 0:
            weights, expected = self._course.foresee([evaluation for evaluation, _, _ in anchors])
        else:
            weights, expected = self._forecaster.foresee([time for _, time, _ in anchors], time)
        forecast = sum(weight * kept for weight, (_, _, kept) in zip(weights, anchors))
        size = output.float().square().mean()
        wrong, change = (((output - other).float().square().mean() / size) for other in (forecast, anchors[0][2]))
        wrong, change = torch.stack((wrong, change)).tolist()
        times = wrong / max(expected, ROUNDING)
        if len(anchors) > 1 and times > SURPRISE * self._usual and wrong > REPETITION * change:
            return True
        self._usual = max(self._usual, times)
        return False

    def _next_of_course(self) -> Course | None:
        self._left -= 1
        return self._course if self._left >= 0 else None

    def _sum(self, weights: dict[int, float]) -> torch.Tensor:
        return sum(weights[evaluation] * output for evaluation, _, output in self._kept if evaluation in weights)
