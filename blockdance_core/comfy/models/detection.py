"""Where the blocks of a diffusion model are: by its architecture row, or, where it has none, found by its structure."""

import inspect
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from torch.nn import Module, ModuleDict, ModuleList

from ...engine.blocks import Chain, Contract


class UnsupportedModel(ValueError):
    """The model is of no architecture that the method knows."""


@dataclass(frozen=True)
class Stack:
    """One list of blocks, as a row of architectures.py has it or as it was found.

    blocks: attribute path of the list; hidden: the hidden-state arguments in the order in which a block returns them,
    by name, or by place for a block that takes *args; packed, keys_values, guessed: as in Contract; long_skips: the
    output of block i is read again by the block that is as far from the end; needs_a_block: as in Chain; method: as in
    Contract.
    """
    blocks: str
    hidden: tuple[str | int, ...]
    packed: bool = False
    keys_values: str | None = None
    guessed: bool = False
    long_skips: bool = False
    needs_a_block: bool = False
    method: str = "forward"


def uncompiled(module: Module) -> Module:
    try:
        return module._modules.get("_orig_mod", module)  # getattr takes longer, and every block is asked in every pass
    except AttributeError:  # an engine that packs have put in place of a model
        return module


def chain(diffusion_model: Module, stacks: tuple[Stack, ...]) -> Chain:
    """The blocks of these stacks as they are at this moment: a compile wrapper swaps them around each call.

    Raises AttributeError or ContractError for a model that has no such blocks.
    """
    blocks, contracts, counts, readers = [], [], [], {}
    for stack in stacks:
        found = attrgetter(stack.blocks)(uncompiled(diffusion_model))
        found = list(found.values() if isinstance(found, ModuleDict) else found)
        if stack.long_skips:
            end = len(blocks) + len(found) - 1
            readers.update((len(blocks) + i, end - i) for i in range(len(found) // 2))
        blocks.extend(found)
        contracts.extend(_contracts(_classes(found), stack))
        counts.append(len(found))
    return Chain(tuple(blocks), tuple(contracts), tuple(counts), readers,
                 any(stack.needs_a_block for stack in stacks))


def _classes(blocks: list[Module]) -> tuple[type, ...]:
    """Every pass asks for them, so that blocks are looked into only where one may be compiled."""
    classes = tuple(map(type, blocks))
    if any(ancestor.__name__ == "OptimizedModule" for found in set(classes) for ancestor in found.__mro__):
        return tuple(type(uncompiled(block)) for block in blocks)
    return classes


@lru_cache(maxsize=None)
def _contracts(classes: tuple[type, ...], stack: Stack) -> tuple[Contract, ...]:
    """One for each block."""
    contract_of = {block_class: _contract(block_class, stack) for block_class in set(classes)}
    return tuple(contract_of[block_class] for block_class in classes)


def _contract(block_class: type, stack: Stack) -> Contract:
    # The class's forward: the instance's may be a compiled or patched one that shows only *args
    return Contract.of(getattr(block_class, stack.method), stack.hidden, packed=stack.packed,
                       keys_values=stack.keys_values, guessed=stack.guessed, method=stack.method)


_FEWEST = 4  # shorter lists are refiners and heads
_LIGHTEST = .1  # of the weights of the heaviest list: lighter ones are embeddings, adapters and projections
_KNOWN = ("Known are the transformers that ComfyUI ships (docs/architectures.md of this pack). Use BlockDance Auto, "
          "which works with any model, or bypass this node.")


def detect(model: Module) -> tuple[Stack, ...]:
    """The longest list of equal blocks, with the first argument of their forward as the hidden state.

    That argument is a guess, checked when a span is stored: the block must return one tensor of the same form. Raises
    UnsupportedModel where there is no such list, or no single longest one.
    """
    name = type(model).__name__
    if not isinstance(model, Module):
        raise UnsupportedModel(f"{name} is no module of torch, so that its blocks cannot be seen. {_KNOWN}")
    lists = _lists(model)
    longest = {path: blocks for path, blocks in lists.items() if len(blocks) == max(map(len, lists.values()))}
    if not longest:
        raise UnsupportedModel(f"{name} is not in the table, and has no list of at least {_FEWEST} equal blocks that "
                               f"could be its transformer. {_KNOWN}")
    if len(longest) > 1:
        candidates = ", ".join(f"{path} ({len(blocks)} x {type(uncompiled(blocks[0])).__name__})"
                               for path, blocks in longest.items())
        raise UnsupportedModel(f"{name} is not in the table, and more than one list of blocks could be its "
                               f"transformer: {candidates}. {_KNOWN}")
    (path, blocks), = longest.items()
    return Stack(path, (_first_argument(name, type(uncompiled(blocks[0]))),), guessed=True),


def _lists(model: Module) -> dict[str, ModuleList]:
    """The lists directly on the model that could be its transformer."""
    lists = {path: child for path, child in model.named_children() if isinstance(child, ModuleList)}
    weights = {path: sum(parameter.numel() for parameter in blocks.parameters()) for path, blocks in lists.items()}
    return {path: blocks for path, blocks in lists.items()
            if weights[path] >= _LIGHTEST * max(weights.values()) and _are_equal(blocks)}


def _are_equal(blocks: ModuleList) -> bool:
    classes = {type(uncompiled(block)) for block in blocks}
    return len(blocks) >= _FEWEST and len(classes) == 1 and classes.pop().forward is not Module.forward


def _first_argument(name: str, block_class: type) -> str | int:
    parameters = list(inspect.signature(block_class.forward).parameters.values())[1:]
    if any("skip" in parameter.name for parameter in parameters):
        raise UnsupportedModel(f"{name} is not in the table, and its blocks ({block_class.__name__}) take skip "
                               f"connections, whose ends their call does not show. {_KNOWN}")
    first = parameters[0].kind if parameters else None
    if first in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
        return 0
    if first is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return parameters[0].name
    raise UnsupportedModel(f"{name} is not in the table, and the call of its blocks ({block_class.__name__}) does not "
                           f"tell which argument is the hidden state. {_KNOWN}")
