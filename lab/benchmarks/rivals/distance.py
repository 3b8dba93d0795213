"""How far features are apart, as the papers measure it."""

import torch

from ....blockdance_core.engine.blocks import Hidden
from ....blockdance_core.engine.cache import Stored


def picture(hidden: Hidden) -> torch.Tensor:
    """The stream of the picture, (B, T, D): the text's is shorter."""
    return max((tensor for tensor in hidden if tensor is not None), key=torch.Tensor.numel)


def relative_l1(now: torch.Tensor, before: torch.Tensor) -> float:
    """mean |now - before| / mean |before|."""
    return float((now - before).abs().mean() / before.abs().mean())


def change(stored: Stored) -> torch.Tensor:
    """The whole change of the picture's tokens over a span, (B, T, D), through all stacks.

    Later stacks may have the text in front of the picture in one tensor.
    """
    first, *others = (picture(hidden) for hidden in stored.hidden.values())
    return first + sum(other[:, -first.shape[1]:] for other in others) if others else first
