"""Where the blocks of a diffusion model are, and what a call of them carries."""

from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from torch.nn import Module, ModuleDict

from ...engine.blocks import Chain
from ...engine.hidden_state import Contract


class UnsupportedModel(ValueError):
    """The model is of no architecture that the method knows."""


@dataclass(frozen=True)
class Stack:
    """One list of blocks.

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
    return module._modules.get("_orig_mod", module)  # getattr takes longer, and every block is asked in every pass


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
        classes = [type(uncompiled(block)) for block in found]
        contract_of = {block_class: _contract(block_class, stack) for block_class in set(classes)}
        contracts.extend(contract_of[block_class] for block_class in classes)
        counts.append(len(found))
    return Chain(tuple(blocks), tuple(contracts), tuple(counts), readers,
                 any(stack.needs_a_block for stack in stacks))


@lru_cache(maxsize=None)
def _contract(block_class: type, stack: Stack) -> Contract:
    # The class's forward: the instance's may be a compiled or patched one that shows only *args
    return Contract.of(getattr(block_class, stack.method), stack.hidden, packed=stack.packed,
                       keys_values=stack.keys_values, guessed=stack.guessed, method=stack.method)
