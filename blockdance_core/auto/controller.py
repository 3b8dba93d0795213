"""The controller of a plan that skips the model: it keeps computed outputs and extrapolates the others."""

import torch

from ..engine.controller import GiveUp, Moment, PlanController, Setup
from ..plan.plan import Plan, SkipModel
from ..plan.schedule import Schedule
from .outputs import Outputs
from .streams import StreamOutputs, outputs_of

TAKES_MORE = ("this sampler takes more from an evaluation than its output, and only that was to be forecast, so "
              "everything is computed")
OTHER_EVALUATIONS = ("the sampler or another node changes which evaluations there are, so that each forecast stands "
                     "for itself")


class OutputController(PlanController):
    """Extrapolates outputs in the quantity of the plan's extrapolation, and lets each computed one make up for the
    errors of those before it, as long as the evaluations are those that were planned."""
    keeps_outputs = True

    def __init__(self, setup: Setup, schedule: Schedule):
        super().__init__(setup, schedule)
        self._flow_time = schedule.flow_time
        sampler = setup.plan.sampler or schedule.sampler
        self._outputs = outputs_of(setup.plan.extrapolation, schedule.stretches if sampler.counted else (),
                                   schedule.streams)

    @property
    def bytes(self) -> int:
        return self._outputs.bytes

    @property
    def peak_bytes(self) -> int:
        return self._outputs.peak_bytes

    def check(self, moment: Moment) -> str:
        if not moment.whole:
            raise GiveUp(TAKES_MORE)
        if self._outputs.as_planned and not moment.counted:
            self._outputs.leave_plan()
            return OTHER_EVALUATIONS
        return ""

    def skip(self, moment: Moment) -> torch.Tensor | None:
        if not self._outputs.fit(moment.latent):
            return None
        return self._denoised(moment, self._outputs.forecast(moment.time))

    def computed(self, moment: Moment, denoised: torch.Tensor) -> torch.Tensor:
        quantity = self.plan.extrapolation.quantity
        value = self._flow_time.read(quantity, moment.latent, denoised, moment.sigma)
        given = self._outputs.computed(moment.time, value)
        return denoised if given is value else self._denoised(moment, given)

    def forget(self) -> None:
        super().forget()
        self._outputs.clear()

    @property
    def _kept(self) -> Outputs | StreamOutputs:
        return self._outputs

    def _follow(self, plan: Plan) -> None:
        self._outputs.follow(plan.extrapolation)

    def _denoised(self, moment: Moment, value: torch.Tensor) -> torch.Tensor:
        return self._flow_time.denoised(self.plan.extrapolation.quantity, moment.latent, value, moment.sigma)


def controller_of(setup: Setup, schedule: Schedule) -> PlanController:
    """One that keeps outputs where the plan skips the model, else one that only follows the plan."""
    skips = any(isinstance(decision.reuse, SkipModel) for decision in setup.plan.decisions)
    return OutputController(setup, schedule) if skips else PlanController(setup, schedule)
