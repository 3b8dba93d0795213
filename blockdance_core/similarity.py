"""How alike the features and deltas of each block are at the evaluations of one run.

What BlockDance's Figures 2, 3 and 5 and Delta-DiT's Figure 4c show. `probe` records it.
"""

from dataclasses import dataclass
from typing import Mapping

import torch

from .plan import Kind, Transformer


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
