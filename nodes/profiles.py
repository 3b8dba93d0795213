"""Where profiles are, and what is known of one model: read by BlockDance Auto and Plan, written by measuring runs."""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Sequence

import folder_paths
import numpy as np
from comfy.model_patcher import ModelPatcher

from ..blockdance_core.auto.kernel import Kernel
from ..blockdance_core.auto.profile import Profile
from ..blockdance_core.auto.profile_library import Library
from ..blockdance_core.comfy.attach import fingerprint_of, versions
from ..blockdance_core.comfy.weights_digest import weights_digest
from ..blockdance_core.plan.schedule import Quantity, SamplerTraits

logger = logging.getLogger(__name__)

FOLDER = "blockdance"  # below models/
STOPPED = {"stopped": "early"}  # of a calibration that was interrupted, among the settings


def register() -> None:
    """Make the folder known, so that extra_model_paths.yaml may add others."""
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def library() -> Library:
    return Library(tuple(map(Path, folder_paths.get_folder_paths(FOLDER))))


class Measured:
    """What is known of one model: read when a run begins, as the run before it may have added to it."""

    def __init__(self, model: ModelPatcher):
        self._fingerprint = fingerprint_of(model)
        self._weights = weights_digest(model)
        self._seen: dict[str, SamplerTraits] = {}  # of samplers, as long as there is no profile to keep it in

    def kernel(self, quantity: Quantity, times: Sequence[float]) -> Kernel | None:
        profile = library().find(self._fingerprint, quantity, times, self._weights)
        return profile and profile.kernel

    def check(self, profile: Profile, source: str) -> None:
        profile.check(self._fingerprint, source)

    def save(self, quantity: Quantity, kernel: Kernel, runs: int = 1, **settings: str | int | float) -> str:
        """Keep a profile; returns the name of its file."""
        settings = {"steps": len(kernel.times), **settings}
        profile = Profile(self._fingerprint, quantity, kernel, runs, settings, versions(), dict(self._seen),
                          self._weights)
        return library().add(profile).name

    def resumed(self, quantity: Quantity, kernel: Kernel, runs: int, **settings: str | int | float) -> Kernel:
        """The kernel with what a calibration had found that was interrupted, if its full runs were the same."""
        found = library().find(self._fingerprint, quantity, (*kernel.times, kernel.end), self._weights)
        same = (found is not None and found.weights == self._weights and found.runs == runs
                and found.settings == {"steps": len(kernel.times), **settings, **STOPPED}
                and np.allclose(found.kernel.times, kernel.times) and np.allclose(found.kernel.gram, kernel.gram, 1e-4))
        return replace(kernel, growth=found.kernel.growth, proven=found.kernel.proven) if same else kernel

    def learn(self, quantity: Quantity, kernel: Kernel) -> str:
        """Keep what the first run of a model has shown."""
        self._keep(quantity, kernel)
        return "measured: the next run will be faster"

    def learn_anew(self, quantity: Quantity, kernel: Kernel) -> str:
        """Keep it in place of what was known; the choice to measure stands until the user makes another."""
        self._keep(quantity, kernel)
        return "measured anew: with the profile auto the next run will be faster"

    def _keep(self, quantity: Quantity, kernel: Kernel) -> None:
        """The name of the file is for the log: a node has no room for it."""
        logger.info("the profile of this model is %s in models/%s", self.save(quantity, kernel), FOLDER)

    def find(self, key: str) -> SamplerTraits | None:
        """What runs of the model have shown of a sampler; this makes it the Samplers of methods."""
        return library().sampler(self._fingerprint, key) or self._seen.get(key)

    def keep(self, traits: SamplerTraits) -> bool:
        if not library().keep_sampler(self._fingerprint, traits):
            self._seen[traits.key] = traits
        return True


@dataclass(frozen=True)
class ToRead:
    """What was observed of samplers, to which nothing is added."""
    measured: Measured

    def find(self, key: str) -> SamplerTraits | None:
        return self.measured.find(key)

    def keep(self, traits: SamplerTraits) -> bool:
        return False
