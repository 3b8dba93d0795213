"""Which outputs show what a patch has changed: those that its samplers feed, and no other sampler."""

from collections.abc import Collection

from .bypass import MODEL, after
from .graph import Prompt, followers
from .node_types import NodeType, Types


def compared(prompt: Prompt, samplers: Collection[str], types: Types) -> list[str]:
    """The output nodes after these samplers to compare, in the prompt's order.

    What shows the picture of another sampler as well, as a comparer of two does, is left out: that one is the same with
    and without a patch. It counts only where there is no other output after the samplers.
    """
    behind = after(prompt, samplers)
    outputs = [node for node in behind if types[prompt[node]["class_type"]].output]
    others = [node for node, value in prompt.items()
              if _samples(types[value["class_type"]]) and node not in {*samplers, *behind}]
    mixed, edge = set(), set(others)
    while edge := set(followers(prompt, edge)) - mixed - set(samplers):
        mixed |= edge
    return [node for node in outputs if node not in mixed] or outputs


def _samples(kind: NodeType) -> bool:
    """Whether nodes of this kind draw: some that take a model give the picture at once."""
    return bool({"LATENT", "IMAGE"} & set(kind.outputs)) and any(
        value.type in (MODEL, "GUIDER") for value in kind.inputs.values())
