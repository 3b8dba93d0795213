"""The similarity probe on a MODEL: a patch like any other, whose runs compute everything and only record."""

import logging
from contextlib import nullcontext
from typing import Callable, ContextManager, Mapping

from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from torch.nn import Module

from ..analysis.probe import BlockRecorder, Probe
from ..analysis.similarity import Similarity
from ..engine.interception import Interception
from ..plan.schedule import Schedule
from .attach import install, latest
from .models.architectures import chain_of, transformer_of
from .run_history import Shared
from .step_tracking import StepTracker

logger = logging.getLogger(__name__)

NAME = "Feature Similarity Probe"
MOST_RUNS = 16  # runs that are kept: one takes some MiB


class ProbeRun(Shared):
    """One sampling, recorded: of each evaluation the positive prompt's first picture."""

    def __init__(self, schedule: Schedule, diffusion_model: Module, undisturbed: bool):
        self._transformer = transformer_of(diffusion_model)
        self.probe = Probe(self._transformer, schedule)
        self._tracker = StepTracker(schedule, undisturbed)
        self._evaluating = False
        self._positive: set = set()

    def begin_call(self) -> None:
        """A call like every other."""

    def close(self) -> None:
        """Nothing to free: what was recorded goes with the run."""

    def evaluate(self, predict: Callable, x, timestep, conditions: Mapping[str, list], *_):
        """One call of the denoiser. conditions: of the guider."""
        if self._evaluating:  # a call from within one is a part of it
            return predict()
        self.probe.begin(self._tracker.step(timestep))
        self._positive = {condition["uuid"] for condition in conditions.get("positive") or () if "uuid" in condition}
        self._evaluating = True
        try:
            return predict()
        finally:
            self._evaluating = False

    def apply_model(self, forward: Callable, model: BaseModel, x, transformer_options: dict,
                    control: dict | None = None):
        """One pass, recorded if it holds the positive prompt."""
        interception = nullcontext()
        if self._evaluating:
            with self.probe.survive():
                interception = self._interception(model, x, transformer_options)
        with interception:
            return forward()

    def _interception(self, model: BaseModel, x, transformer_options: dict) -> ContextManager:
        """What records the blocks of a pass; nothing where there is nothing to record."""
        place, of = self._place(transformer_options)
        if place is None or transformer_of(model.diffusion_model) != self._transformer:
            return nullcontext()
        chain = chain_of(model.diffusion_model)
        row = place * (len(x) // of)
        return Interception(chain, recorders=(BlockRecorder(self.probe, chain, row, x.shape),))

    def _place(self, transformer_options: dict) -> tuple[int | None, int]:
        """Where among the conditions of this pass the positive prompt is, and how many they are.

        Most guiders have it as number 0, those of two prompts as number 2; an area may give another its uuid.
        """
        numbers = transformer_options.get("cond_or_uncond", ())
        uuids = transformer_options.get("uuids", ())
        found = [place for place, uuid in enumerate(uuids) if uuid in self._positive]
        if not (self._positive and uuids):
            found = [place for place, number in enumerate(numbers) if number == 0]
        return min(found, key=lambda place: numbers[place] != 0, default=None), len(numbers)


def attach_probe(model: ModelPatcher, on_finish: Callable[[Similarity], None] | None = None) -> ModelPatcher:
    """A clone of the model that records the similarity of its blocks in each run, and computes what it always did.

    Replaces a method that was attached before. Raises UnsupportedModel for a model without known blocks.
    """
    transformer = transformer_of(model.model.diffusion_model)

    def finish(run: ProbeRun) -> Similarity:
        similarity = run.probe.similarity()
        logger.info("%s on %s: %d evaluations of %d blocks", NAME, transformer.name, len(similarity.steps),
                    transformer.depth)
        if on_finish is not None:
            on_finish(similarity)
        return similarity
    return install(model, NAME, ProbeRun, finish, MOST_RUNS)


def last_similarity(model: ModelPatcher) -> Similarity | None:
    """What the latest finished run of a probed model has shown, runs of its clones included."""
    return latest(model, Similarity)
