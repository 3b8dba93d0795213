"""The stack of a diffusion model that no architecture row knows, found by its structure."""

import inspect

from torch.nn import Module, ModuleList

from .stacks import Stack, UnsupportedModel, uncompiled

_FEWEST = 4  # shorter lists are refiners and heads
_LIGHTEST = .1  # of the weights of the heaviest list: lighter ones are embeddings, adapters and projections
_KNOWN = ("Known are the transformers that ComfyUI ships (docs/architectures.md of this pack). Remove or bypass this "
          "node, or load another model.")


def detect(model: Module) -> tuple[Stack, ...]:
    """The longest list of equal blocks, with the first argument of their forward as the hidden state.

    That argument is a guess, checked when a span is stored: the block must return one tensor of the same form. Raises
    UnsupportedModel where there is no such list, or no single longest one.
    """
    name = type(model).__name__
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
                               f"connections, whose course their call does not show. {_KNOWN}")
    first = parameters[0].kind if parameters else None
    if first in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
        return 0
    if first is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return parameters[0].name
    raise UnsupportedModel(f"{name} is not in the table, and the call of its blocks ({block_class.__name__}) does not "
                           f"tell which argument is the hidden state. {_KNOWN}")
