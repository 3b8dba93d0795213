"""Which runs of a model a value comes from, by the workflow as it is executed, loops and lists included."""

from collections.abc import Mapping
from typing import TypeVar

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from comfy_execution.graph_utils import is_link

from nodes import NODE_CLASS_MAPPINGS

from ..blockdance_core.host.attach import history
from ..blockdance_core.host.history import here

Result = TypeVar("Result")


def runs_behind(node: type[io.ComfyNode], name: str, model: ModelPatcher, kind: type[Result]) -> list[Result]:
    """What the runs of this model have left that made the value of an input of a node that is being executed, in order.
    A program that calls the node by itself gets the latest."""
    kept, place, graph = history(model), here(), node.hidden and node.hidden.dynprompt
    if place is None or graph is None:
        latest = kept.latest(kind)
        return [] if latest is None else [latest]
    return kept.behind(kind, place, _before(graph, graph.get_node(place.node)["inputs"].get(name)))


def _before(graph, link: object) -> Mapping[str, bool]:
    """The nodes that a link leads back to, and whether between them and it lists are gathered or taken apart, so that
    one call may get what came of several."""
    found: dict[str, bool] = {}
    waiting = [(link, False)]
    while waiting:
        link, mixed = waiting.pop()
        if not is_link(link) or not graph.has_node(link[0]) or found.get(link[0], None) in (True, mixed):
            continue
        node = graph.get_node(link[0])
        known = NODE_CLASS_MAPPINGS.get(node["class_type"])
        found[link[0]] = mixed
        mixed = mixed or bool(getattr(known, "INPUT_IS_LIST", False) or any(getattr(known, "OUTPUT_IS_LIST", ())))
        waiting.extend((value, mixed) for value in node["inputs"].values())
    return found
