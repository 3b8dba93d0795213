"""The folders of profiles: which of them serves a run, and how new ones come in beside others that write there.

A run may see a part of the noise only: one of two experts, a refiner, a second pass, image-to-image. What it shows is a
kernel that begins and ends within, and serves runs in this range. Those of one model whose ranges meet serve as one.
"""

import hashlib
import logging
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Sequence

import numpy as np

from ..files import Files, alone, replacing
from ..plan.schedule import Quantity, SamplerTraits
from .constants import CLOSE
from .kernel import SAME, Kernel
from .profile import LARGEST, MOST_SAMPLERS, Fingerprint, Profile, ProfileError, read
from .proven_plan import ProvenPlan

logger = logging.getLogger(__name__)
SUFFIX = ".json"
SLACK = .1  # of a run's own range that may be missing at either end; kriging takes that for unknown
JOINT = 3  # times in both kernels that their ranges are joined by, at most


@dataclass(frozen=True)
class Library:
    """Folders with profiles. New ones go to the first."""
    folders: tuple[Path, ...]

    @property
    def _files(self) -> Files:
        return Files(self.folders, SUFFIX, "profile", ProfileError,
                     "Choose the profile 'auto', which measures the model")

    def names(self) -> list[str]:
        return self._files.names()

    def load(self, name: str) -> Profile:
        """The profile in a file of this name. Raises ProfileError."""
        return read(self._files.find(name))

    def find(self, fingerprint: Fingerprint, quantity: Quantity, times: Sequence[float], weights: str = ""
             ) -> Profile | None:
        """The profile for a run through these times: of the model with these weights, else of another of its class.

        Of each model it is the one that was measured with the nearest number of steps there, or all of them as one
        where only together they cover the run.
        """
        if len(times) < 2:
            return None
        models: dict[str, list[Profile]] = {}
        for _, profile in self._of(fingerprint):
            if profile.quantity is quantity:
                models.setdefault(profile.weights, []).append(profile)
        own = [models.pop(weights)] if weights in models else []
        for group, serves in (own, lambda profile: profile), (models.values(), _of_another):
            usable = [profile for found in group for profile in _covering(found, times)]
            if usable:
                return serves(min(usable, key=lambda profile: abs(within(profile.kernel, times) - len(times) + 1)))
        return None

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
            with suppress(OSError, ProfileError):  # it may have gone meanwhile
                path = self._files.find(name)
                if path.stat().st_size <= LARGEST:
                    digest.update(name.encode() + path.read_bytes())
        return digest.hexdigest()

    def add(self, profile: Profile) -> Path:
        """Keep a profile, in place of an older one of the same model, quantity, range and number of steps, whose
        samplers it takes over."""
        name = _name(profile)
        with self._alone():
            older = next((old for other, old in self._of(profile.fingerprint) if other == name), None)
            if older is not None and older.samplers:
                profile = replace(profile, samplers=older.samplers | profile.samplers)
            return self._write(name, profile)

    def _write(self, name: str, profile: Profile) -> Path:
        path = self.folders[0] / name
        with replacing(path) as written:
            written.write_text(profile.dump(), encoding="utf-8")
        return path

    def _alone(self) -> AbstractContextManager[None]:
        """While no other process changes the profiles."""
        return alone(self.folders[0])

    def sampler(self, fingerprint: Fingerprint, key: str) -> SamplerTraits | None:
        """What runs of this model have shown of a sampler."""
        return next((profile.samplers[key] for _, profile in self._of(fingerprint) if key in profile.samplers), None)

    def keep_sampler(self, fingerprint: Fingerprint, traits: SamplerTraits) -> bool:
        """Keep what a run of this model has shown of a sampler, in its profiles; False where it has none."""
        if not self._of(fingerprint):
            return False
        with self._alone():
            for name, profile in self._of(fingerprint):
                others = [(key, other) for key, other in profile.samplers.items() if key != traits.key]
                self._write(name, replace(profile, samplers=dict([*others, (traits.key, traits)][-MOST_SAMPLERS:])))
        return True


def covers(kernel: Kernel, times: Sequence[float]) -> bool:
    """Whether a run through these times, descending, stays where the kernel was measured, and that closely enough."""
    slack = SLACK * (times[0] - times[-1])
    close = len(kernel.times) >= min(CLOSE, len(times) - 1)
    return close and kernel.times[0] >= times[0] - slack and kernel.end <= times[-1] + slack


def within(kernel: Kernel, times: Sequence[float]) -> int:
    """How many evaluations were measured in the range of a run through these times."""
    return int(((kernel.times <= times[0] + SAME) & (kernel.times > times[-1] - SAME)).sum())


def merged(kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """Kernels of one model whose ranges meet or overlap as one, which is then known throughout; in the order of time.

    Where two overlap, the earlier in the row counts. What no single run has seen, products of an output from one range
    with one from another, follows from what both have in common at their border and is else unknown.
    """
    found: list[Kernel] = []
    for kernel in kernels:
        apart = []
        for other in found:
            if min(kernel.times[0], other.times[0]) < max(kernel.end, other.end) - SAME:
                apart.append(other)
            else:
                kernel = _joined(other, kernel)
        found = [*apart, kernel]
    return tuple(sorted(found, key=lambda kernel: -kernel.times[0]))


def _covering(profiles: Sequence[Profile], times: Sequence[float]) -> list[Profile]:
    """Of the profiles of one model those that cover a run; what they are together where none does alone."""
    singly = [profile for profile in profiles if covers(profile.kernel, times)]
    if singly or len(profiles) < 2:
        return singly
    finest = sorted(profiles, key=lambda profile: -profile.steps)
    together = merged([profile.kernel for profile in finest])
    return [replace(finest[0], kernel=kernel) for kernel in together if covers(kernel, times)]


def _joined(first: Kernel, second: Kernel) -> Kernel:
    """The first as it is, and what the second adds before and after it."""
    gram = _completed(first, second)
    times = np.concatenate([first.times, _added(first, second)])
    order = np.argsort(-times)
    end = min(first.end, second.end)
    streams = ()
    if len(first.streams) == len(second.streams):
        streams = tuple(map(_joined, first.streams, second.streams))
    joined = gram[np.ix_(order, order)]
    growth = second.growth if first.growth is None else first.growth
    return Kernel(times[order], joined / (np.trace(joined) / len(joined)), growth=growth, end=end, streams=streams)


def _added(first: Kernel, second: Kernel) -> np.ndarray:
    """The times of the second that are outside of the first."""
    times = second.times
    return times[(times > first.times[0] + SAME) | (times < first.times[-1] - SAME)]


def _completed(first: Kernel, second: Kernel) -> np.ndarray:
    """The Gram matrix of the times of the first and those that the second adds, before it and after it.

    v = W b + r for an output v that the second adds, with b the outputs at the border, r what these do not say of it,
    and W as the second has it by kriging. The products of b are taken from the first, which also sets the scale.
    """
    gram = first.gram
    added = _added(first, second)
    for part, border in ((added[added > first.times[-1]], range(min(JOINT, len(first.times)))),
                         (added[added < first.times[-1]], range(max(0, len(first.times) - JOINT), len(first.times)))):
        if not len(part):
            continue
        border = list(border)
        known = second.at(np.concatenate([first.times[border], part]))
        known *= np.trace(first.gram[np.ix_(border, border)]) / np.trace(known[:len(border), :len(border)])
        own, cross = known[:len(border), :len(border)], known[len(border):, :len(border)]
        size = np.trace(own) / len(own)
        mix = np.linalg.solve(own + 1e-6 * size * np.eye(len(own)), cross.T).T  # (P, B)
        rest = known[len(border):, len(border):] - mix @ cross.T - cross @ mix.T + mix @ own @ mix.T
        rows = mix @ gram[border]  # with all outputs so far
        gram = np.block([[gram, rows.T], [rows, mix @ first.gram[np.ix_(border, border)] @ mix.T + rest]])
    return gram


def _name(profile: Profile) -> str:
    """Of its file. Full runs, which begin in noise and end in a picture, are named without their range."""
    times, end = profile.kernel.times, profile.kernel.end
    weights = f"{profile.weights}-" if profile.weights else ""
    part = "" if covers(profile.kernel, (1., 0.)) else f"-from-{times[0] * 100:.0f}-to-{end * 100:.0f}"
    return f"{_stem(profile.fingerprint)}{weights}{profile.quantity.value}-{profile.steps}{part}{SUFFIX}"


def _of_another(profile: Profile) -> Profile:
    """A profile as it serves another model of its class: by what plans have shown there nothing can be expected here,
    nor are weights that were fitted there of use."""
    proven = tuple(ProvenPlan(plan.computed) for plan in profile.kernel.proven)
    return replace(profile, kernel=replace(profile.kernel, proven=proven)) if profile.kernel.proven else profile


def _stem(fingerprint: Fingerprint) -> str:
    """Of the files of a model: readable, and different for different models."""
    digest = hashlib.sha256(repr(fingerprint).encode()).hexdigest()[:8]
    return f"{fingerprint.name}-{'+'.join(map(str, fingerprint.stacks))}-{digest}-"
