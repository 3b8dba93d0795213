"""A rival on a MODEL: a patch like any other, whose runs decide inside each pass."""

from typing import Callable, Hashable

from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from torch.nn import Module

from ....blockdance_core.comfy.attach import install
from ....blockdance_core.comfy.pass_key import identity
from ....blockdance_core.engine.cache import Stored
from ....blockdance_core.engine.interception import Interception
from ....blockdance_core.plan.schedule import Schedule
from .gate import Gate
from .rival import Moment, Rival, Sight, Stream, combine

TWO_EVALUATIONS_A_STEP = frozenset({"sample_heun", "sample_dpm_2"})


class RivalRun:
    """One sampling by a rival. Published methods count evaluations, so that is what a moment is."""

    def __init__(self, rival: Rival, schedule: Schedule):
        twice = schedule.sampler.name in TWO_EVALUATIONS_A_STEP
        self._count = 2 * schedule.steps - 1 if twice else schedule.steps
        self._rival = rival
        self._flow_time = schedule.flow_time
        self._number = -1
        self._time = 1.
        self._streams: dict[Hashable, Stream] = {}
        self._occurrences: dict[Hashable, int] = {}

    def close(self) -> None:
        """Free what the run has stored."""
        self._streams.clear()

    def evaluate(self, predict: Callable, x, timestep, *_):
        """One call of the denoiser."""
        self._number += 1
        self._time = self._flow_time.time(float(timestep.max()))
        self._occurrences = {}
        return predict()

    def apply_model(self, forward: Callable, model: BaseModel, x, transformer_options: dict,
                    control: dict | None = None):
        """One pass."""
        chain = self._rival.chain(model.diffusion_model)
        key = identity(model, x, transformer_options, control)
        self._occurrences[key] = occurrence = self._occurrences.get(key, -1) + 1
        stream = self._streams.setdefault((key, occurrence), self._rival.begin())
        moment = Moment(self._number, self._count, self._time, tuple(x.shape))

        def decide(sight: Sight) -> Stored | None:
            weights = stream.weights(moment, sight)
            return None if weights is None else combine(stream.anchors, weights)
        gate = Gate(chain, self._rival.reuse(chain), decide)
        with Interception(chain, recorders=(gate,)):
            output = forward()
        sight, stored = gate.finish()
        if stored is not None:
            stream.computed(moment, sight, stored)
        return output


def attach_rival(model: ModelPatcher, rival: Rival) -> ModelPatcher:
    """A clone of the model that samples by this rival. Raises ValueError where it does not fit the model."""
    rival.reuse(rival.chain(model.model.diffusion_model))

    def begin(schedule: Schedule, diffusion_model: Module, undisturbed: bool) -> RivalRun:
        return RivalRun(rival, schedule)
    return install(model, type(rival).__name__, begin, lambda run: run)
