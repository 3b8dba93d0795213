"""How a model starts, and how it gets deeper while it trains without changing what it computes."""

import torch

from .architectures import Architecture

Weights = dict[str, torch.Tensor]


def initialise(architecture: Architecture, model: torch.nn.Module) -> None:
    """DiT's initialisation: every block starts as the identity, the output as zero."""
    for name, parameter in model.named_parameters():
        if name.endswith(architecture.zeros) or name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
        elif name.endswith(architecture.tables) or name.startswith(("t_embedder", "time_in", "time_embedding")):
            torch.nn.init.normal_(parameter, std=.02)
        elif parameter.ndim > 1:
            torch.nn.init.xavier_uniform_(parameter.view(parameter.shape[0], -1))
        else:
            torch.nn.init.ones_(parameter)  # of a norm


def split_blocks(architecture: Architecture, weights: Weights, deeper: Weights) -> Weights:
    """Weights of a model twice as deep that computes nearly the same: each block twice, each at half strength.

    `deeper` are initial weights of the deeper model. They fill what a block lacks: the last block of an MMDiT does
    not go on with the caption, which its first half must.
    """
    split = {}
    for name, initial in deeper.items():
        stack, _, rest = name.partition(".")
        if stack not in architecture.depths:
            split[name] = weights[name].clone()
            continue
        index, _, rest = rest.partition(".")
        value = weights.get(f"{stack}.{int(index) // 2}.{rest}")
        if value is None:
            value = initial
        elif value.shape != initial.shape:  # shift and scale without gates, which stay closed
            value = torch.cat([value, initial[len(value):]])
        split[name] = value / 2 if rest.startswith(architecture.outputs) else value.clone()
    return split
