"""Hidden states in few numbers: the tokens that are the picture, and the same random samples in every run."""

from dataclasses import dataclass
from typing import Callable, Hashable

import torch

LARGEST = 64  # tokens per side of a picture of features
PATCHES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Grid:
    """`frames` pictures of height x width tokens, and `others` (text) that come before or after them."""
    frames: int
    height: int
    width: int
    others: int = 0

    @classmethod
    def of(cls, tokens: int, latent: torch.Size) -> "Grid | None":
        """The grid of so many tokens for a latent (B, C, H, W) or (B, C, F, H, W); None where it has none.

        Of the possible patch sizes one that leaves no token over, or else the smallest.
        """
        if len(latent) not in (4, 5):
            return None
        frames = latent[2] if len(latent) == 5 else 1
        sizes = [cls(frames, -(-latent[-2] // patch), -(-latent[-1] // patch)) for patch in PATCHES]
        fitting = [cls(grid.frames, grid.height, grid.width, tokens - grid.tokens)
                   for grid in sizes if 1 < grid.tokens <= tokens]
        return min(fitting, key=lambda grid: grid.others > 0, default=None)

    @property
    def tokens(self) -> int:
        return self.frames * self.height * self.width

    def picture(self, tokens: torch.Tensor) -> torch.Tensor:
        """The middle frame, at most LARGEST tokens a side: (T, c) -> (h, w, c).

        Where there are other tokens, too, the picture is on the side on which it is the smoother one.
        """
        stride = -(-max(self.height, self.width) // LARGEST)
        picture = self._middle(tokens)
        if self.others:
            picture = min(picture, self._middle(tokens[self.others:]), key=_roughness)
        return picture[::stride, ::stride].clone()

    def _middle(self, tokens: torch.Tensor) -> torch.Tensor:
        size = self.height * self.width
        return tokens[self.frames // 2 * size:][:size].unflatten(0, (self.height, self.width))


def _roughness(picture: torch.Tensor) -> float:
    """Mean difference between neighbours, across and down, per unit of spread."""
    steps = picture.diff(dim=0).abs().mean() + picture.diff(dim=1).abs().mean()
    return float(steps / picture.std())


SAMPLED = 2 ** 17  # most numbers of a sample, 512 KiB; one token is the least
WIDTH = 1024  # numbers of a sketch, 4 KiB


class Sketcher:
    """The random choices of one run. They depend on shapes alone, so every run makes the same."""

    def __init__(self):
        self._choices: dict[Hashable, torch.Tensor] = {}

    def sample(self, tokens: torch.Tensor) -> torch.Tensor:
        """All channels of up to SAMPLED / D tokens, a copy in float32: (T, D) -> (n,)."""
        count, most = len(tokens), max(1, SAMPLED // tokens.shape[1])
        chosen = self._choice(("tokens", count, most), tokens.device,
                              lambda generator: torch.randperm(count, generator=generator)[:most].sort().values)
        return tokens[chosen].flatten().float()

    def sketch(self, values: torch.Tensor) -> torch.Tensor:
        """(n,) -> (WIDTH,), linear in the values, of which up to WIDTH are kept as they are."""
        count = -(-len(values) // WIDTH) * WIDTH
        values = torch.nn.functional.pad(values, (0, count - len(values)))
        if count == WIDTH:
            return values
        order = self._choice(("order", count), values.device,
                             lambda generator: torch.randperm(count, generator=generator))
        signs = self._choice(("signs", count), values.device,
                             lambda generator: torch.randint(0, 2, (count,), generator=generator) * 2. - 1)
        return (values[order] * signs).view(-1, WIDTH).sum(0)

    def project(self, tokens: torch.Tensor, channels: int) -> torch.Tensor:
        """The tokens in few random channels, which show nearly the same principal components: (T, D) -> (T, c)."""
        width = tokens.shape[1]
        directions = self._choice(("directions", width, channels), tokens.device,
                                  lambda generator: torch.randn(width, channels, generator=generator))
        return tokens.float() @ directions / channels ** .5

    def _choice(self, name: Hashable, device: torch.device, make: Callable[[torch.Generator], torch.Tensor]):
        if (name, device) not in self._choices:
            generator = torch.Generator().manual_seed(0)  # its own: the sampler's noise must not change
            self._choices[name, device] = make(generator).to(device)
        return self._choices[name, device]
