"""What the demo offers to Train BlockDance-Ada: the share of the objects that are drawn where and as asked."""

import torch

from . import checker, world


def objects_right(picture: torch.Tensor, reference: torch.Tensor, caption: str) -> float:
    """Of one picture (1, H, W, 3), by the exact checker."""
    score = checker.check(picture[0].float().cpu().numpy(), world.parse_caption(caption))
    return score.right / score.objects


BLOCKDANCE_REWARDS = {"objects right": objects_right}
