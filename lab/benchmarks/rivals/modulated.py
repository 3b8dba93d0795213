"""The first block's input after the shift and scale of the time step, which TeaCache and SeaCache compare."""

import torch

from ....blockdance_core.engine.gate import Sight

# The first projection of attention in a block, fed with the modulated input of the picture
PROJECTIONS = ("attn.qkv", "x_block.attn.qkv", "img_attn.qkv", "self_attn.q")


class _Reached(Exception):
    """The first block has come to its first projection."""


def modulated(sight: Sight) -> torch.Tensor:
    """(B, T, D), made by the block itself: it is run up to its first projection and left there, which costs next to
    nothing. Raises ValueError where it has none that is known."""
    modules = dict(sight.block.named_modules())
    projection = next((modules[path] for path in PROJECTIONS if path in modules), None)
    if projection is None:
        raise ValueError(f"{type(sight.block).__name__} has no projection of attention among {', '.join(PROJECTIONS)}")
    seen = []

    def leave(_, args):
        seen.append(args[0])
        raise _Reached
    hook = projection.register_forward_pre_hook(leave)
    try:
        sight.run_block()
    except _Reached:
        pass
    finally:
        hook.remove()
    return seen[0]
