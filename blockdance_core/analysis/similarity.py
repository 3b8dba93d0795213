"""How alike the features and deltas of each block are at the evaluations of one run, and the few numbers of them that
are kept to compare.

What BlockDance's Figures 2, 3 and 5 and Delta-DiT's Figure 4c show. `probe` records it.
"""

from dataclasses import dataclass
from typing import Callable, Hashable, Mapping, Sequence

import torch

from ..plan.plan import Kind, Transformer

SAMPLED = 2 ** 17  # most numbers of a sample, 512 KiB; one token is the least
WIDTH = 1024  # numbers of a sketch, 4 KiB
LARGEST = 64  # tokens per side of a picture of features
PATCHES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Change:
    """From the evaluation before to each one, by block: (E, depth), NaN where there is nothing to compare.

    cosine: in [-1, 1]; distance: relative L1, sum |now - before| / sum |before|.
    """
    cosine: torch.Tensor
    distance: torch.Tensor


@dataclass(frozen=True)
class Similarity:
    """What one run of E evaluations has shown, on the CPU.

    steps: the step of each evaluation; percents: where each step begins and the last one ends, as start/end inputs
    count; sketches: (E, depth, WIDTH), NaN where a block was not called; pictures: by block and step, the features of
    the picture's tokens in a few random channels, (h, w, c).
    """
    transformer: Transformer
    steps: tuple[int, ...]
    percents: tuple[float, ...]
    changes: Mapping[Kind, Change]
    sketches: Mapping[Kind, torch.Tensor]
    pictures: Mapping[tuple[int, int], torch.Tensor]
    notes: tuple[str, ...] = ()

    def matrix(self, kind: Kind, block: int) -> torch.Tensor:
        """Cosine of one block between every two evaluations, (E, E)."""
        rows = torch.nn.functional.normalize(self.sketches[kind][:, block], dim=-1)
        return (rows @ rows.T).clamp(-1, 1)


def compare(now: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Cosine and relative L1 of two samples, (2,), without waiting for the device."""
    cosine = torch.nn.functional.cosine_similarity(now, before, dim=0)
    return torch.stack((cosine, (now - before).abs().sum() / before.abs().sum()))


def colors(pictures: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The first three components of all pictures together as red, green and blue: (h, w, c) -> (h, w, 3) in [0, 1].

    The same components and the same range for all, so that equal colors mean equal features.
    """
    tokens = torch.cat([picture.flatten(0, 1) for picture in pictures]).float()
    centered = tokens - tokens.mean(0)
    _, directions = torch.linalg.eigh(centered.T @ centered)  # ascending
    directions = directions[:, -3:].flip(1)
    largest = directions.abs().argmax(0)
    directions = directions * directions[largest, range(directions.shape[1])].sign()  # eigenvectors have no sign
    components = torch.nn.functional.pad(centered @ directions, (0, 3 - directions.shape[1]))
    low, high = torch.quantile(components[::-(-len(components) // 2 ** 20)], torch.tensor([.01, .99]), dim=0)
    scaled = ((components - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    sizes = [picture.shape[:2] for picture in pictures]
    parts = scaled.split([height * width for height, width in sizes])
    return [part.unflatten(0, size) for part, size in zip(parts, sizes)]


class Sketcher:
    """Hidden states in few numbers, by random choices that depend on shapes alone, so every run makes the same."""

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
