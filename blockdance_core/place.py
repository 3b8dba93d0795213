"""Where in the latent a pass takes its input from: all of it, a tile, or the latent rolled by some offset.

A few pixels of the input are looked up in the latent, exactly, so that neither noise nor what the sampler makes of it
matters. Nothing is read back from the device.
"""

import threading
from dataclasses import dataclass
from typing import Hashable

import torch

PIXELS, MOST = 16, 32  # looked up of each pass; of each picture of a batch one, up to so many
CHANNELS = 4  # of a pixel: more than two pixels in a latent have in common, and few enough for a long video
_PHASE = 40503  # of 2 ** 16, near the golden ratio: pixels in no regular distances


@dataclass(frozen=True)
class Place:
    """pixels: of the input, by picture of its batch and by number within it, (K,) each; sources: of the latent, the
    same; found: (K,); of: the shape of the latent."""
    pixels: tuple[torch.Tensor, torch.Tensor]
    sources: tuple[torch.Tensor, torch.Tensor]
    found: torch.Tensor
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
                return cls(pixels, (own, pixels[1]), straight, latent.shape)
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
        return cls(pixels, sources, straight | equal.flatten(1).any(1), latent.shape)

    def changed(self, x: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Whether an input of the same shape comes from elsewhere: (), a bool on its device.

        Most of the pixels that were found have to be gone, as a node may paste something into a part of the input. Too
        few that were found tell nothing.
        """
        if latent.shape != self.of:
            return torch.ones((), dtype=torch.bool, device=x.device)
        gone = (_read(latent, self.sources).to(x) != _read(x, self.pixels)).any(1) & self.found
        known = self.found.sum()
        return (4 * known >= len(self.found)) & (2 * gone.sum() > known)


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


def _spread(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels all over an input, in two numbers as of Place."""
    pictures, numbers = len(x), x[0, 0].numel()
    count = min(max(PIXELS, min(pictures, MOST)), pictures * numbers)
    index = torch.arange(count, device=x.device)
    pixel = (index * pictures * numbers + index * _PHASE % 2 ** 16 * pictures * numbers // 2 ** 16) // count
    return pixel // numbers, pixel % numbers


def _read(latent: torch.Tensor, pixels: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """(K, C)"""
    picture, number = (index.to(latent.device) for index in pixels)
    return latent[:, :CHANNELS].flatten(2)[picture, :, number]
