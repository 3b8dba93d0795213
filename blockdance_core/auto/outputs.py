"""The model's outputs in one run: those that were computed, and what the sampler gets instead or of them."""

from typing import Sequence

import numpy as np
import torch

from ..plan.extrapolation import OutputExtrapolation
from ..plan.schedule import Stretch
from .constants import REPETITION, SURPRISE
from .weights import KernelExtrapolation, PlannedWeights

ROUNDING = 1e-10  # no forecast is expected to be closer than a kernel's own numbers are


class Outputs:
    """Keeps the latest computed outputs, as many as the weights are for; (B, C, ...) each, of the latent's shape."""

    def __init__(self, extrapolation: OutputExtrapolation, stretches: Sequence[Stretch] = ()):
        """stretches: of all evaluations, where they are known; each output then makes up for the errors of those
        before it in its stretch, and what is between stretches is left as it is."""
        self._extrapolation = extrapolation
        self._stretches = tuple(stretches) if isinstance(extrapolation, KernelExtrapolation) else ()
        self._planned: PlannedWeights | None = None  # of the stretch that is going on
        self._kept: list[tuple[int, float, torch.Tensor]] = []  # place in its stretch, time, output; newest first
        self._evaluations = 0
        self.broke = False  # whether the latest output was nothing like its forecast
        self._usual = 1.  # the largest error so far, as a multiple of the expected one
        self.peak_bytes = 0

    @property
    def as_planned(self) -> bool:
        """Whether the evaluations are still those that were known."""
        return bool(self._stretches)

    @property
    def error(self) -> np.ndarray | None:
        """Of the latent, by the plan."""
        return self._planned and self._planned.error

    def follow(self, extrapolation: KernelExtrapolation) -> None:
        """Go on with another view of the outputs, those that are kept included unless it is of another quantity."""
        other = self._extrapolation.quantity is not extrapolation.quantity
        self._extrapolation = extrapolation
        if other:
            self._kept.clear()
        if self._planned is None:
            return
        if other:
            stretch = self._stretch(self._evaluations - 1)
            done = stretch and stretch.steps.index(self._evaluations - 1) + 1
            self._planned = stretch and PlannedWeights(extrapolation, stretch.times, done)
        else:
            self._planned.follow(extrapolation)

    @property
    def bytes(self) -> int:
        return sum(output.untyped_storage().nbytes() for _, _, output in self._kept)

    def leave_plan(self) -> None:
        """Evaluations are not those that were known: each forecast stands for itself from now on."""
        self._planned, self._stretches = None, ()

    def clear(self) -> None:
        self._kept.clear()
        self.leave_plan()

    def fit(self, latent: torch.Tensor) -> bool:
        """Whether the next output can be forecast, for this latent. The first of a stretch cannot."""
        begins = any(stretch.steps[0] == self._evaluations for stretch in self._stretches)
        return bool(self._kept) and self._kept[0][2].shape == latent.shape and not begins

    def computed(self, time: float, output: torch.Tensor) -> torch.Tensor:
        """What the sampler gets of a computed output: the same tensor unless earlier forecasts are made up for."""
        if self._kept and self._kept[0][2].shape != output.shape:
            self.clear()
        place = self._place()
        self.broke = False
        if time <= 0 or place is None:  # where no noise is left, or none is taken away, nothing follows from it
            return output
        self._begin_anew(time)
        self._kept = [kept for kept in self._kept if kept[1] != time]  # evaluated again: the newer one counts
        self.broke = self._planned is not None and self._breaks(output)
        self._kept.insert(0, (place, time, output))
        self.peak_bytes = max(self.peak_bytes, self.bytes)
        weights = {place: 1.} if self._planned is None else self._planned.next(computed=True)
        result = output if len(weights) == 1 else self._sum(weights)
        del self._kept[self._extrapolation.anchors + 1:]
        return result

    def forecast(self, time: float) -> torch.Tensor:
        """An output that was not computed."""
        self.broke = False
        place = self._place()
        if self._planned is not None and place is not None:
            weights = self._planned.next(computed=False)
        else:
            anchors = self._kept[:self._extrapolation.anchors]
            weights = dict(zip((kept for kept, _, _ in anchors),
                               self._extrapolation.weights([kept for _, kept, _ in anchors], time)))
        return self._sum(weights)

    def _place(self) -> int | None:
        """Where the next evaluation is in its stretch, or among all where none is known; None if it is in none. The
        first of a stretch begins anew."""
        now, self._evaluations = self._evaluations, self._evaluations + 1
        if not self._stretches:
            return now
        stretch = self._stretch(now)
        if stretch is None:
            return None
        if now == stretch.steps[0]:
            self._kept.clear()
            self._planned = PlannedWeights(self._extrapolation, stretch.times)
        return stretch.steps.index(now)

    def _stretch(self, evaluation: int) -> Stretch | None:
        return next((stretch for stretch in self._stretches if evaluation in stretch.steps), None)

    def _begin_anew(self, time: float) -> None:
        """After a rise of the noise the outputs before it say nothing."""
        if self._kept and time > max(kept for _, kept, _ in self._kept):
            self._kept.clear()

    def _breaks(self, output: torch.Tensor) -> bool:
        """Whether a computed output is so far from its forecast that those before it say little of it.

        The forecast is then no better than a repetition; where it is, or where all forecasts of the run are as far off,
        it is only the measurement that is rough. Reads two numbers back from the device.
        """
        anchors = self._kept[:self._extrapolation.anchors]
        if not anchors:
            return False
        weights, expected = self._planned.expect([place for place, _, _ in anchors])
        forecast = sum(weight * kept for weight, (_, _, kept) in zip(weights, anchors))
        size = output.float().square().mean()
        wrong, change = (((output - other).float().square().mean() / size) for other in (forecast, anchors[0][2]))
        wrong, change = torch.stack((wrong, change)).tolist()
        times = wrong / max(expected, ROUNDING)
        if len(anchors) > 1 and times > SURPRISE * self._usual and wrong > REPETITION * change:
            return True
        self._usual = max(self._usual, times)
        return False

    def _sum(self, weights: dict[int, float]) -> torch.Tensor:
        return sum(weights[place] * output for place, _, output in self._kept if place in weights)
