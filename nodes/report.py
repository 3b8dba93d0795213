"""BlockDance Report: what the last run of a patched model has executed, in words, as JSON and as a picture."""

import json

from comfy_api.latest import io

from ..blockdance_core.figures.canvas import THEMES
from ..blockdance_core.figures.run_map import run_map
from ..blockdance_core.host.attach import last_report
from ..blockdance_core.host.probe import last_similarity
from ..blockdance_core.plan_text import written
from .analysis import CATEGORY, latent_input, shown, theme_input


class BlockDanceReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceReport",
            display_name="BlockDance Report",
            category=CATEGORY,
            description="What a patched model has executed in its last run, and the multiply-accumulates (MACs) that "
                        "this saved: a map of evaluations and blocks, the same as text, and all of it as JSON.",
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
            is_output_node=True,
        )

    @classmethod
    def execute(cls, model, latent, theme: str = "dark") -> io.NodeOutput:
        report = last_report(model)
        if report is None and last_similarity(model):
            raise ValueError("this model carries the Feature Similarity Probe, which reuses nothing and so has no "
                             "report: connect it to Feature Similarity")
        if report is None:
            raise ValueError("there is no finished run to report: connect the output of a BlockDance patch both to the "
                             "sampler and to `model`, and the sampler's output to `latent`")
        return shown(cls, [report.text(), json.dumps(report.as_dict(), indent=2)], [run_map(report, THEMES[theme])],
                     [written(report.plan)])
