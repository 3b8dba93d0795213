"""Principal components of features as colors (BlockDance, Figure 3)."""

from typing import Sequence

import torch


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
