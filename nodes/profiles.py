"""Where profiles are, and what Auto does with them for a model."""

import os
from pathlib import Path

import folder_paths
from comfy.model_patcher import ModelPatcher

from ..blockdance_core.auto.kernel import Kernel
from ..blockdance_core.auto.library import Library
from ..blockdance_core.auto.profile import Profile
from ..blockdance_core.flow_time import Quantity
from ..blockdance_core.host.fingerprint import fingerprint_of, versions

FOLDER = "blockdance"  # below models/


def register() -> None:
    """Make the folder known, so that extra_model_paths.yaml may add others."""
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def library() -> Library:
    return Library(tuple(map(Path, folder_paths.get_folder_paths(FOLDER))))


class Measured:
    """What is known of one model: read when a run begins, as the run before it may have added to it."""

    def __init__(self, model: ModelPatcher):
        self._fingerprint = fingerprint_of(model)

    def kernel(self, quantity: Quantity, steps: int) -> Kernel | None:
        profile = library().find(self._fingerprint, quantity, steps)
        return profile and profile.kernel

    def check(self, profile: Profile, source: str) -> None:
        profile.check(self._fingerprint, source)

    def save(self, quantity: Quantity, kernel: Kernel, runs: int = 1, **settings: str | int | float) -> str:
        """Keep a profile; returns the name of its file."""
        settings = {"steps": len(kernel.times), **settings}
        return library().add(Profile(self._fingerprint, quantity, kernel, runs, settings, versions())).name

    def learn(self, quantity: Quantity, kernel: Kernel) -> str:
        """Keep what the first run of a model has shown."""
        return f"measured: the next run will be faster ({self.save(quantity, kernel)})"

    def learn_anew(self, quantity: Quantity, kernel: Kernel) -> str:
        """Keep it in place of what was known; the choice to measure stands until the user makes another."""
        name = self.save(quantity, kernel)
        return f"measured anew ({name}): choose the profile auto, and the next run will be faster"
