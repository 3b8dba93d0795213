"""Which blocks a ComfyUI diffusion model has, and which arguments of a block call are the hidden state.

One row per architecture, found by class name along the class's ancestors, so that subclasses inherit their row. No
forward of the host is copied and nothing here depends on its line of code.
"""

from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Callable

import torch

from ..chain import Chain
from ..hidden import Contract
from ..plan import Transformer


@dataclass(frozen=True)
class Stack:
    """blocks: attribute path of the list; hidden: the hidden-state arguments in the order in which a block returns
    them, by name, or by place for a block that takes *args."""
    blocks: str
    hidden: tuple[str | int, ...]


ARCHITECTURES: dict[str, tuple[Stack, ...]] = {
    "PixArtMS": (Stack("blocks", ("x",)),),
    "OpenAISignatureMMDITWrapper": (Stack("joint_blocks", (0, 1)),),
    "Flux": (Stack("double_blocks", ("img", "txt")), Stack("single_blocks", ("x",))),
    "DiT": (Stack("blocks", ("x",)),),
}


class UnsupportedModel(ValueError):
    """The model is of no architecture that the method knows."""


@dataclass(frozen=True)
class Family:
    """How a method sees its models. Both raise UnsupportedModel for a diffusion model of another family."""
    chain_of: Callable[[torch.nn.Module], Chain]
    transformer_of: Callable[[torch.nn.Module], Transformer]


def stacks_of(diffusion_model: torch.nn.Module) -> tuple[Stack, ...]:
    """The architecture row of a diffusion model, compiled or not. Raises UnsupportedModel."""
    model_class = type(uncompiled(diffusion_model))
    for ancestor in model_class.__mro__:
        if ancestor.__name__ in ARCHITECTURES:
            return ARCHITECTURES[ancestor.__name__]
    kind = "not in the table"
    if "UNet" in model_class.__name__:
        kind = "a U-Net, which has no transformer stack but a node of its own, Delta-Cache Patch (U-Net)"
    raise UnsupportedModel(
        f"{model_class.__name__} is {kind}. Supported diffusion models: {', '.join(ARCHITECTURES)}. "
        "Remove or bypass this node, or load a supported model.")


def chain_of(diffusion_model: torch.nn.Module) -> Chain:
    """The blocks of a diffusion model as they are at this moment: a compile wrapper swaps them around each call."""
    blocks, contracts, counts = [], [], []
    for stack in stacks_of(diffusion_model):
        found = list(attrgetter(stack.blocks)(uncompiled(diffusion_model)))
        blocks.extend(found)
        contracts.extend(_contract(type(uncompiled(block)), stack.hidden) for block in found)
        counts.append(len(found))
    return Chain(tuple(blocks), tuple(contracts), tuple(counts))


def transformer_of(diffusion_model: torch.nn.Module) -> Transformer:
    return Transformer(type(uncompiled(diffusion_model)).__name__, chain_of(diffusion_model).stacks)


TRANSFORMERS = Family(chain_of, transformer_of)


def uncompiled(module: torch.nn.Module) -> torch.nn.Module:
    return getattr(module, "_orig_mod", module)


@lru_cache(maxsize=None)
def _contract(block_class: type, hidden: tuple[str | int, ...]) -> Contract:
    # The class's forward: the instance's may be a compiled or patched one that shows only *args
    return Contract.of(block_class.forward, hidden)
