"""Whether what is evaluated stays in its place: what was stored of one part of a picture is wrong for any other.

Nodes cut the latent into tiles or roll it between the sampler and the model, some by other offsets at each step. Their
passes are looked up in the sampler's latent. A sampler or wrapper that is not ComfyUI's own may do so with the latent
itself, of which only the one before is known. All of it is found out on the device that computes, and read without
making it wait.
"""

import math
import threading
from dataclasses import dataclass
from typing import Hashable

import torch


@dataclass(frozen=True)
class _Flag:
    """reason: what it means if the flag is up. flag: (); of a CUDA device on its way to main memory, until `ready`."""
    reason: str
    flag: torch.Tensor
    ready: torch.cuda.Event | None

    @classmethod
    def of(cls, flag: torch.Tensor, reason: str) -> "_Flag":
        if flag.device.type != "cuda":
            return cls(reason, flag, None)
        with torch.cuda.device(flag.device):
            copied = torch.empty((), dtype=torch.bool, pin_memory=True).copy_(flag, non_blocking=True)
            ready = torch.cuda.Event()
            ready.record()
        return cls(reason, copied, ready)

    def read(self) -> bool:
        if self.ready is not None:
            self.ready.synchronize()
        return bool(self.flag)


class Alarm:
    """Rings once a flag of the run is up: of one on the CPU at once, of any other in the evaluation after.

    By then the device has begun with the evaluation that the flag was raised in, and still has the rest of it to do:
    it is not kept waiting, and is never more than an evaluation behind.
    """

    def __init__(self):
        self._reason = ""
        self._before: list[_Flag] = []
        self._now: list[_Flag] = []

    def begin(self) -> None:
        """An evaluation begins."""
        self._before += self._now
        self._now = []

    def add(self, flag: torch.Tensor, reason: str) -> None:
        """flag: (), a bool. reason: what it means if it is up."""
        if flag.device.type != "cpu":
            self._now.append(_Flag.of(flag, reason))
        elif bool(flag):
            self._reason = self._reason or reason

    def rings(self) -> str:
        """The reason, or nothing."""
        before, self._before = self._before, []
        for flag in before:
            if not self._reason and flag.read():
                self._reason = flag.reason
        return self._reason


SAMPLED = 2 ** 14  # differences that are kept of a latent, 64 KiB
SHARE = .3  # of the correlation that a sampler keeps at least; less is another place
CHANCE = 4.  # standard deviations by which that has to exceed the correlation of unlike places


class Continuity:
    """Of the evaluations of one run, in order."""

    def __init__(self):
        self._last: tuple[float, torch.Tensor] | None = None

    def broken(self, latent: torch.Tensor, time: float) -> torch.Tensor | None:
        """Whether this latent (B, C, ...) has nothing in common with the last one: (), a bool on its device; None
        where that cannot be told. time: in that of a flow."""
        last, now = self._last, _differences(latent)
        self._last = time, now
        if last is None or last[1].shape != now.shape or last[1].device != now.device:
            return None
        least = SHARE * _kept(last[0], time)
        if least * math.sqrt(now.numel()) < CHANCE:
            return None
        return (now * last[1]).sum() < least * now.norm() * last[1].norm()


def _differences(latent: torch.Tensor) -> torch.Tensor:
    """Of neighbours in some rows of a latent, the same rows each time: (rows, columns)."""
    rows = latent.reshape(-1, latent.shape[-1])[:, :SAMPLED + 1]
    rows = rows[::max(1, rows.numel() // SAMPLED)].float()
    return rows[:, 1:] - rows[:, :-1]


def _kept(before: float, now: float) -> float:
    """The least correlation of the noise at two times: the ratio of noise to picture at one to that at the other."""
    if before == now:
        return 1.
    if not (0 < before < 1 and 0 < now < 1):
        return 0.
    ratio = now * (1 - before) / (before * (1 - now))
    return min(ratio, 1 / ratio)


PIXELS, MOST_PICTURES = 16, 32  # looked up of each pass; of each picture of a batch one, up to so many
CHANNELS = 4  # of a pixel: more than two pixels in a latent have in common, and few enough for a long video
_PHASE = 40503  # of 2 ** 16, near the golden ratio: pixels in no regular distances
Pixels = tuple[torch.Tensor, torch.Tensor]  # by picture of a batch and by number within it, (K,) each


@dataclass(frozen=True)
class Place:
    """Where an input comes from in a latent.

    pixels: of the input, as indices of all its numbers, (K, C); sources: of the latent, the same; found: (K,), which
    of them come from there; most: (), how many of those may be gone; of: the shape of the latent.
    """
    pixels: torch.Tensor
    sources: torch.Tensor
    found: torch.Tensor
    most: torch.Tensor
    of: torch.Size

    @classmethod
    def find(cls, x: torch.Tensor, latent: torch.Tensor) -> "Place":
        """The place of an input (P, C, ...) in a latent (B, C, ...)."""
        pixels = _spread(x)
        wanted = _read(x, pixels)  # (K, C)
        own = pixels[0] % len(latent)
        if x.shape[1:] == latent.shape[1:]:
            straight = (_read(latent, (own, pixels[1])).to(x) == wanted).all(1)  # (K,)
            if x.device.type == "cpu" and bool(straight.all()):
                return cls._of(x, latent, pixels, (own, pixels[1]), straight)
        else:
            straight = torch.zeros_like(own, dtype=torch.bool)
        equal = torch.ones(len(wanted), len(latent), latent[0, 0].numel(), dtype=torch.bool, device=x.device)
        for channel in range(wanted.shape[1]):
            values = latent[:, channel].flatten(1).to(x)  # (B, N)
            equal &= values == wanted[:, channel, None, None]
        rank = equal.byte()  # (K, B, N)
        rank[torch.arange(len(own), device=x.device), own] *= 2  # of pictures that are alike, its own
        where = rank.flatten(1).argmax(1)
        picture, number = where // rank.shape[2], where % rank.shape[2]
        sources = torch.where(straight, own, picture), torch.where(straight, pixels[1], number)
        return cls._of(x, latent, pixels, sources, straight | equal.flatten(1).any(1))

    @classmethod
    def _of(cls, x: torch.Tensor, latent: torch.Tensor, pixels: Pixels, sources: Pixels, found: torch.Tensor
            ) -> "Place":
        """Most of the pixels that were found may not be gone; too few that were found tell nothing."""
        known = found.sum()
        most = torch.where(4 * known >= len(found), known // 2, len(found))
        return cls(_indices(x, pixels), _indices(latent, sources), found, most, latent.shape)

    def changed(self, x: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Whether an input of the same shape comes from elsewhere: (), a bool on its device.

        Most of the pixels that were found have to be gone, as a node may paste something into a part of the input.
        """
        if latent.shape != self.of:
            return torch.ones((), dtype=torch.bool, device=x.device)
        if x.device.type == "cpu" and torch.equal(latent.take(self.sources).to(x), x.take(self.pixels)):
            return torch.zeros((), dtype=torch.bool)
        gone = (latent.take(self.sources.to(latent.device)).to(x) != x.take(self.pixels)).any(1) & self.found
        return gone.sum() > self.most


class Places:
    """Those of the passes of a run. Several GPUs may ask at once."""

    def __init__(self):
        self._places: dict[Hashable, Place] = {}
        self._lock = threading.Lock()

    def changed(self, key: Hashable, x: torch.Tensor, latent: torch.Tensor) -> torch.Tensor | None:
        """Whether the pass of this key comes from another place than the first time: (); None where that is not known.
        """
        if x.ndim != latent.ndim or x.ndim < 3 or x.shape[1] != latent.shape[1]:
            return None
        place = self._places.get(key)
        if place is not None:
            return place.changed(x, latent)
        place = Place.find(x, latent)
        with self._lock:
            self._places[key] = place
        return None


def _spread(x: torch.Tensor) -> Pixels:
    """Pixels all over an input."""
    pictures, numbers = len(x), x[0, 0].numel()
    count = min(max(PIXELS, min(pictures, MOST_PICTURES)), pictures * numbers)
    index = torch.arange(count, device=x.device)
    pixel = (index * pictures * numbers + index * _PHASE % 2 ** 16 * pictures * numbers // 2 ** 16) // count
    return pixel // numbers, pixel % numbers


def _indices(latent: torch.Tensor, pixels: Pixels) -> torch.Tensor:
    """Those of some channels of pixels among all numbers of a latent: (K, C)."""
    picture, number = (index.to(latent.device) for index in pixels)
    channels, numbers = latent.shape[1], latent[0, 0].numel()
    first = torch.arange(min(channels, CHANNELS), device=latent.device) * numbers
    return (picture * channels * numbers + number)[:, None] + first


def _read(latent: torch.Tensor, pixels: Pixels) -> torch.Tensor:
    """(K, C)"""
    return latent.take(_indices(latent, pixels))



MOVED = ("passes show another part of the latent than before, as with tiles or a picture that a node moves from step "
         "to step, where nothing that was stored belongs")
UNLIKE = ("what the sampler evaluates has nothing in common with the evaluation before, as with another part of the "
          "picture or noise that is all new, so that nothing that was stored belongs there")


class MovingParts:
    """Watches one run. whole: whether its sampler is known to evaluate the whole latent, always."""

    def __init__(self, whole: bool):
        self._alarm = Alarm()
        self._places = Places()
        self._continuity = None if whole else Continuity()

    def evaluation(self, latent: torch.Tensor, time: float) -> None:
        """An evaluation begins; time: in that of a flow."""
        self._alarm.begin()
        if self._continuity is not None:
            self._add(self._continuity.broken(latent, time), UNLIKE)

    def a_pass(self, key: Hashable, x: torch.Tensor, latent: torch.Tensor) -> None:
        """A pass begins, of this latent. key: what it has in common with the passes that may use what it stores."""
        self._add(self._places.changed(key, x, latent), MOVED)

    def rings(self) -> str:
        """Why nothing may be reused any more, if so."""
        return self._alarm.rings()

    def _add(self, flag: torch.Tensor | None, reason: str) -> None:
        if flag is not None:
            self._alarm.add(flag, reason)
