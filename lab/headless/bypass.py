"""The same workflow without this pack: what its nodes do to a MODEL is left out, what they show is dropped."""

import copy
from collections.abc import Collection

from .graph import Prompt, followers, replace_links, sources
from .node_types import NodeType, Types

MODEL = "MODEL"
ANALYSIS = "/analysis"  # the end of the category of nodes that look and change nothing


def patches(prompt: Prompt, types: Types) -> list[str]:
    """The nodes of this pack that take a MODEL and give one: those that bypassing leaves out."""
    return [node for node, value in prompt.items() if (kind := types[value["class_type"]]).ours
            and MODEL in kind.outputs and kind.input_of(MODEL)]


def bypass(prompt: Prompt, types: Types) -> Prompt:
    """A copy in which every MODEL goes around `patches`. Dropped with all that depends on them are the pack's analysis
    nodes, and whatever takes another output of a patch. Its loaders stay: they are where a MODEL comes from."""
    result = copy.deepcopy(prompt)
    for node in patches(prompt, types):
        pass_through(result, node, types[prompt[node]["class_type"]])
    dropped = [node for node, value in result.items() if sources(result, node) - result.keys()
               or (kind := types[value["class_type"]]).ours and kind.category.endswith(ANALYSIS)]
    while dropped:
        for node in dropped:
            del result[node]
        dropped = followers(result, set(prompt) - result.keys())
    return result


def pass_through(prompt: Prompt, node: str, kind: NodeType) -> None:
    """Take a patch out, so that its MODEL input goes where its MODEL output went."""
    source = prompt.pop(node)["inputs"].get(kind.input_of(MODEL))
    replace_links(prompt, [node, kind.outputs.index(MODEL)], source)


def samplers(prompt: Prompt, types: Types) -> list[str]:
    """The nodes that sample with a patched MODEL: the first on each way from a patch that give a LATENT. Patches that
    analyse make nothing faster and do not count.

    Guiders and sigmas lie between; where no node gives a LATENT, it is all that the MODEL gets to. Those that the
    server would not run without the pack, as no output depends on them, are left out.
    """
    reached: list[str] = []
    found: list[str] = []
    edge: Collection[str] = [node for node in patches(prompt, types)
                             if not types[prompt[node]["class_type"]].category.endswith(ANALYSIS)]
    while edge := [node for node in followers(prompt, edge) if node not in reached]:
        reached.extend(edge)
        latents = [node for node in edge if "LATENT" in types[prompt[node]["class_type"]].outputs]
        found.extend(latents)
        edge = [node for node in edge if node not in latents]
    found = found or [node for node in reached if not types[prompt[node]["class_type"]].ours]
    plain = bypass(prompt, types)
    outputs = {node for node, value in plain.items() if types[value["class_type"]].output}
    return [node for node in found if outputs & {node, *after(plain, [node])}]


def after(prompt: Prompt, nodes: Collection[str]) -> list[str]:
    """The nodes that depend on one of these, in the prompt's order."""
    reached, edge = set(), set(nodes)
    while edge := set(followers(prompt, edge)) - reached:
        reached |= edge
    return [node for node in prompt if node in reached]
