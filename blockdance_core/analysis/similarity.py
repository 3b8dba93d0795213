"""How alike the features and deltas of each block are at the evaluations of one run.

What BlockDance's Figures 2, 3 and 5 and Delta-DiT's Figure 4c show. `probe` records it.
"""

from dataclasses import dataclass
from typing import Mapping, Sequence

import torch

from ..plan.plan import Kind, Transformer


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
