"""A workflow made faster without editing it: an accelerating node in front of every sampler (`--accelerate`)."""

import copy
from collections.abc import Iterator

from .bypass import ANALYSIS, MODEL, patches
from .errors import UsageError
from .graph import Prompt, is_link, name
from .node_types import NodeType, Types

AUTO = "BlockDanceAuto"
TITLE = "BlockDance Auto"
DRAWN = {"LATENT", "GUIDER", "IMAGE", "VIDEO", "AUDIO"}  # what samplers give; a guider is what samples for one of them
SEEDS = ("seed", "noise_seed")


def accelerate(prompt: Prompt, types: Types, speedup: float | None = None) -> Prompt:
    """A copy with BlockDance Auto of this speed-up; without one, as a new node is set. Raises UsageError where nothing
    samples, and where the workflow has a node of this pack that makes it faster: the two would not add up."""
    there = [node for node in patches(prompt, types)
             if not types[prompt[node]["class_type"]].category.endswith(ANALYSIS)]
    if there:
        raise UsageError(f"{', '.join(name(prompt, node) for node in there)} makes this workflow faster already: leave "
                         "--accelerate out, and change its inputs with --set")
    wanted = {} if speedup is None else {"speedup": speedup, "quality": "custom"}  # other words stand for other numbers
    result, added = insert(prompt, types, AUTO, TITLE, {
        key: value for key, value in wanted.items() if key in types[AUTO].inputs})
    if not added:
        raise UsageError("nothing to accelerate: no node of this workflow takes a MODEL and samples with it")
    return result


def insert(prompt: Prompt, types: Types, node_class: str, title: str, inputs: dict[str, object]
           ) -> tuple[Prompt, list[str]]:
    """A copy in which each MODEL that samplers get goes through a node of this class first, and these nodes.

    That is the last place before the sampler, so that patches and LoRAs come before it. Samplers of one MODEL share a
    node; two experts get one each. The inputs that are not given are at their defaults.
    """
    result, added = copy.deepcopy(prompt), {}
    kind = types[node_class]
    defaults = {key: value.default if value.default is not None else value.options[0]
                for key, value in kind.inputs.items() if value.default is not None or value.options}
    for node, given in list(model_links(result, types)):
        source = result[node]["inputs"][given]
        if (output := tuple(source)) not in added:
            new = _free_id(result)
            result[new] = {"class_type": node_class, "inputs": {
                kind.input_of(MODEL): list(source), **defaults, **inputs}, "_meta": {"title": title}}
            added[output] = new
        result[node]["inputs"][given] = [added[output], kind.outputs.index(MODEL)]
    if len(added) > 1:
        for number, new in enumerate(added.values(), 1):
            result[new]["_meta"]["title"] = f"{title} {number}"
    return result, list(added.values())


def model_links(prompt: Prompt, types: Types) -> Iterator[tuple[str, str]]:
    """The inputs by which samplers and guiders get a MODEL: node and input."""
    for node, value in prompt.items():
        kind = types[value["class_type"]]
        for key, given in kind.inputs.items() if samples(kind) else ():
            if given.type == MODEL and is_link(value["inputs"].get(key)):
                yield node, key


def samples(kind: NodeType) -> bool:
    """Whether nodes of this kind sample with a MODEL that they take, or are the guider of one that does. What gives the
    MODEL on is a patch, unless it takes a seed, as samplers of some packs do."""
    draws = not DRAWN.isdisjoint(kind.outputs) and kind.input_of(MODEL) is not None
    return draws and (MODEL not in kind.outputs or any(seed in kind.inputs for seed in SEEDS))


def _free_id(prompt: Prompt) -> str:
    """The next number: the page gives nodes numbers, and `3:7` to node 7 in subgraph 3."""
    return str(1 + max((int(part) for node in prompt for part in node.split(":") if part.isdecimal()), default=0))
