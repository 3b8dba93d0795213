"""A rival on a MODEL, by the product's own engine: its controller decides inside each pass."""

from dataclasses import dataclass
from typing import Hashable

from comfy.model_patcher import ModelPatcher
from torch.nn import Module

from ....blockdance_core.comfy.attach import attach
from ....blockdance_core.comfy.models.architectures import Family
from ....blockdance_core.engine.cache import Stored
from ....blockdance_core.engine.controller import Moment as Evaluation
from ....blockdance_core.engine.controller import PlanController, Setup
from ....blockdance_core.engine.gate import Sight
from ....blockdance_core.plan.plan import COMPUTE, Decision, Plan, Reuse, Transformer
from ....blockdance_core.plan.schedule import Schedule
from .rival import Moment, Rival, Stream, combine

TWO_EVALUATIONS_A_STEP = frozenset({"sample_heun", "sample_dpm_2"})


@dataclass(frozen=True)
class RivalMethod:
    """rival, and the span of a model that it decides about."""
    rival: Rival
    reuse: Reuse

    @property
    def name(self) -> str:
        return type(self.rival).__name__

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return Plan((COMPUTE,) * schedule.steps, "decided in each evaluation")

    def begin(self, schedule: Schedule, transformer: Transformer) -> "RivalController":
        return RivalController(self, schedule, transformer)


class RivalController(PlanController):
    """One sampling by a rival. Published methods count evaluations, so that is what a moment is."""
    may_reuse = True

    def __init__(self, method: RivalMethod, schedule: Schedule, transformer: Transformer):
        super().__init__(Setup(method.plan(schedule, transformer)), schedule)
        twice = schedule.sampler.name in TWO_EVALUATIONS_A_STEP
        self._count = 2 * schedule.steps - 1 if twice else schedule.steps
        self._method = method
        self._number = -1
        self._time, self._shape = 1., ()
        self._streams: dict[Hashable, Stream] = {}

    def check(self, moment: Evaluation) -> str:
        self._time, self._shape = moment.time, tuple(moment.latent.shape)
        return super().check(moment)

    def decide(self, step: int) -> Decision:
        self._number += 1
        return Decision(undecided=self._method.reuse)

    def decide_in_pass(self, key: Hashable, sight: Sight) -> Stored | None:
        stream = self._streams.setdefault(key, self._method.rival.begin())
        weights = stream.weights(self._moment, sight)
        return None if weights is None else combine(stream.anchors, weights)

    def computed_span(self, key: Hashable, sight: Sight, stored: Stored) -> None:
        self._streams[key].computed(self._moment, sight, stored)

    def forget(self) -> None:
        super().forget()
        self._streams.clear()

    @property
    def _moment(self) -> Moment:
        return Moment(self._number, self._count, self._time, self._shape)


def attach_rival(model: ModelPatcher, rival: Rival) -> ModelPatcher:
    """A clone of the model that samples by this rival. Raises ValueError where it does not fit the model."""
    def transformer_of(diffusion_model: Module) -> Transformer:
        return Transformer(type(diffusion_model).__name__, (len(rival.chain(diffusion_model).blocks),))
    method = RivalMethod(rival, rival.reuse(rival.chain(model.model.diffusion_model)))
    return attach(model, method, family=Family(rival.chain, transformer_of))
