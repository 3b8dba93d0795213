"""The folder of profiles: finding the right one, and adding what was measured."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from ..files import Files
from ..flow_time import Quantity
from .kernel import Kernel
from .profile import LARGEST, Fingerprint, Profile, ProfileError

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
        found = []
        for name in self.names():
            if name.startswith(_stem(fingerprint)):
                try:
                    profile = self.load(name)
                except ProfileError as error:
                    logger.warning("%s", error)
                    continue
                if (profile.fingerprint, profile.quantity) == (fingerprint, quantity):
                    found.append(profile)
        return min(found, key=lambda profile: abs(profile.steps - steps), default=None)

    def state(self) -> str:
        """Changes whenever a file is written, comes or goes."""
        return self._files.state()

    def add(self, profile: Profile) -> Path:
        """Keep a profile, in place of an older one of the same model, quantity and number of steps."""
        path = self.folders[0] / f"{_stem(profile.fingerprint)}{profile.quantity.value}-{profile.steps}{SUFFIX}"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(profile.dump(), encoding="utf-8")
        temporary.replace(path)
        return path


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
