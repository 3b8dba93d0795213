"""Which tokens of a hidden state are the picture, and where each lies in it."""

from dataclasses import dataclass

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
