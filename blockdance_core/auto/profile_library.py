"""The folder of profiles: finding the right one, and adding what was measured."""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..files import Files
from ..plan.flow_time import Quantity
from ..plan.schedule import SamplerTraits
from .kernel import Kernel
from .profile import LARGEST, MOST_SAMPLERS, Fingerprint, Profile, ProfileError

logger = logging.getLogger(__name__)
SUFFIX = ".json"
GENERAL = Path(__file__).parent / "general"  # a profile for each quantity


@dataclass(frozen=True)
class Library:
    """Folders with profiles. New ones go to the first."""
    folders: tuple[Path, ...]

    @property
    def _files(self) -> Files:
        return Files(self.folders, SUFFIX, "profile", ProfileError)

    def names(self) -> list[str]:
        return self._files.names()

    def load(self, name: str) -> Profile:
        """The profile in a file of this name. Raises ProfileError."""
        return read(self._files.find(name))

    def find(self, fingerprint: Fingerprint, quantity: Quantity, steps: int) -> Profile | None:
        """The profile of this model and quantity that was measured with the number of steps nearest to `steps`."""
        return min((profile for _, profile in self._of(fingerprint) if profile.quantity is quantity),
                   key=lambda profile: abs(profile.steps - steps), default=None)

    def _of(self, fingerprint: Fingerprint) -> list[tuple[str, Profile]]:
        """The profiles of a model, by the names of their files; damaged ones are told of and passed over."""
        found = []
        for name in self.names():
            if name.startswith(_stem(fingerprint)):
                try:
                    profile = self.load(name)
                except ProfileError as error:
                    logger.warning("%s", error)
                    continue
                if profile.fingerprint == fingerprint:
                    found.append((name, profile))
        return found

    def state(self) -> str:
        """Changes with what is in the files, whenever one comes, goes or says something else."""
        digest = hashlib.sha256()
        for name in self.names():
            path = self._files.find(name)
            if path.stat().st_size <= LARGEST:
                digest.update(name.encode() + path.read_bytes())
        return digest.hexdigest()

    def add(self, profile: Profile) -> Path:
        """Keep a profile, in place of an older one of the same model, quantity and number of steps, whose samplers it
        takes over."""
        name = f"{_stem(profile.fingerprint)}{profile.quantity.value}-{profile.steps}{SUFFIX}"
        older = next((old for other, old in self._of(profile.fingerprint) if other == name), None)
        if older is not None and older.samplers:
            profile = replace(profile, samplers=older.samplers | profile.samplers)
        return self._write(name, profile)

    def _write(self, name: str, profile: Profile) -> Path:
        path = self.folders[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(profile.dump(), encoding="utf-8")
        temporary.replace(path)
        return path

    def sampler(self, fingerprint: Fingerprint, key: str) -> SamplerTraits | None:
        """What runs of this model have shown of a sampler."""
        return next((profile.samplers[key] for _, profile in self._of(fingerprint) if key in profile.samplers), None)

    def keep_sampler(self, fingerprint: Fingerprint, traits: SamplerTraits) -> bool:
        """Keep what a run of this model has shown of a sampler, in its profiles; False where it has none."""
        found = self._of(fingerprint)
        for name, profile in found:
            others = [(key, other) for key, other in profile.samplers.items() if key != traits.key]
            self._write(name, replace(profile, samplers=dict([*others, (traits.key, traits)][-MOST_SAMPLERS:])))
        return bool(found)


def read(path: Path) -> Profile:
    """Raises ProfileError."""
    try:
        if path.stat().st_size > LARGEST:
            raise ProfileError(f"{path} is no usable profile: {path.stat().st_size} bytes are too many")
        return Profile.parse(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError:
        raise ProfileError(f"{path} is no usable profile: it is not text") from None
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error}") from None


def _stem(fingerprint: Fingerprint) -> str:
    """Of the files of a model: readable, and different for different models."""
    digest = hashlib.sha256(repr(fingerprint).encode()).hexdigest()[:8]
    return f"{fingerprint.name}-{'+'.join(map(str, fingerprint.stacks))}-{digest}-"


def general(quantity: Quantity) -> Kernel:
    """For a model that was not measured: what a toy has shown, the demo's PixArt, which draws 48 x 48 pixels.

    Outputs change alike enough in other models to plan by it; how close the result comes, it cannot say.
    """
    return read(GENERAL / f"{quantity.value}.json").kernel


def general_quality(quantity: Quantity, speedup: float) -> float | None:
    """How close to its full result a model comes that is planned for by the general profile, in dB: what three of four
    pictures reach of models that were left out of it. Between the speed-ups that were tried on a line; None beyond them
    and where none was."""
    path = GENERAL / "expected.json"
    if not path.is_file():
        return None
    tried = json.loads(path.read_text(encoding="utf-8")).get(quantity.value, {})
    points = sorted((float(times), float(quality)) for times, quality in tried.items())
    if not points or not points[0][0] <= speedup <= points[-1][0]:
        return None
    return float(np.interp(speedup, *zip(*points)))
