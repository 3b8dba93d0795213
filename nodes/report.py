"""BlockDance Report: what the runs behind a latent have executed; and what the analysis nodes share.

Which runs of a model a value comes from is found in the workflow as it is executed, loops and lists included.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io, ui
from comfy_execution.graph_utils import is_link
from PIL import Image

from nodes import NODE_CLASS_MAPPINGS

from ..blockdance_core.comfy.attach import history
from ..blockdance_core.comfy.probe import last_similarity
from ..blockdance_core.comfy.run_history import here
from ..blockdance_core.engine.report import Report
from ..blockdance_core.figures.canvas import THEMES, Theme, below, message, to_tensor
from ..blockdance_core.figures.run_map import run_map
from ..blockdance_core.plan.plan_text import written
from .patch import CATEGORY as PATCHES
from .server import callable_by_scripts

CATEGORY = f"{PATCHES}/analysis"
MOST_MAPS = 12  # in one picture, of some 700 pixels each
Result = TypeVar("Result")


def latent_input() -> io.Input:
    return io.Latent.Input("latent", tooltip="The sampler's LATENT output. It is not read: it makes this node wait for "
                                             "the sampler and run again after every new run.")


def theme_input() -> io.Input:
    return io.Combo.Input("theme", options=list(THEMES), default="dark", advanced=True,
                          tooltip="Colors of the pictures: dark as ComfyUI's own, light for print.")


def shown(cls: type[io.ComfyNode], values: list, figures: list[Image.Image], last: Sequence[str] = ()) -> io.NodeOutput:
    """The node output: values, then figures as IMAGE, then the last values. The node shows the figures, and the
    server's history has the values as `text`, so that who works without a page needs no further node to read them."""
    images = [to_tensor(figure) for figure in figures]
    preview = ui.PreviewImage([image[0] for image in images], cls=cls)
    return io.NodeOutput(*values, *images, *last, ui={**preview.as_dict(), "text": (*values, *last)})


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


class BlockDanceReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceReport",
            display_name="BlockDance Report",
            category=CATEGORY,
            description="What a patched model has executed in the run that made a latent, and the multiply-accumulates "
                        "(MACs) that this saved: a map of evaluations and blocks, the same as text, and all of it as "
                        "JSON.",
            search_aliases=["blockdance", "report", "timeline", "speed", "macs", "blocks executed", "cache map"],
            inputs=[
                io.Model.Input("model", tooltip="The model that the sampler got: the output of a BlockDance, "
                                                "Delta-Cache or Delta-DiT patch, or of any node after it."),
                latent_input(),
                theme_input(),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="A summary, the MACs saved, and a line for each "
                                                             "evaluation."),
                io.String.Output(display_name="json", tooltip="Plan, evaluations, MACs, seconds and bytes."),
                io.Image.Output(display_name="map", tooltip="Evaluations from left to right, blocks from top to "
                                                            "bottom, times above."),
                io.String.Output(display_name="plan", tooltip="The plan of the run as text for BlockDance Plan."),
            ],
            hidden=[io.Hidden.dynprompt],
            is_output_node=True,
        )

    @classmethod
    @callable_by_scripts
    def execute(cls, model, latent, theme: str = "dark") -> io.NodeOutput:
        reports = runs_behind(cls, "latent", model, Report)
        if not reports and last_similarity(model):
            raise ValueError("this model carries the Feature Similarity Probe, which reuses nothing and so has no "
                             "report: connect it to Feature Similarity")
        if not reports:
            raise ValueError("there is no finished run to report: connect the output of a BlockDance patch both to the "
                             "sampler and to `model`, and the sampler's output to `latent`")
        return shown(cls, [in_words(reports), json.dumps(as_dict(reports), indent=2)], [maps(reports, THEMES[theme])],
                     [written(reports[-1].plan)])


def in_words(reports: Sequence[Report]) -> str:
    if len(reports) == 1:
        return reports[0].text()
    return "\n\n".join(f"run {number} of {len(reports)}: {report.text()}" for number, report in enumerate(reports, 1))


def as_dict(reports: Sequence[Report]) -> dict:
    """That of the last run, and of several all of them as `runs`."""
    last = reports[-1].as_dict()
    return last if len(reports) == 1 else last | {"runs": [report.as_dict() for report in reports]}


def maps(reports: Sequence[Report], theme: Theme) -> Image.Image:
    """One below the other."""
    pictures = [run_map(report, theme) for report in reports[-MOST_MAPS:]]
    if len(reports) > MOST_MAPS:
        pictures.insert(0, message(f"The last {MOST_MAPS} of {len(reports)} runs", "The text has all.", theme))
    return below(pictures, theme)
