"""Feature Similarity Probe, and the node that shows what it has recorded."""

import torch
from comfy_api.latest import io
from PIL import Image

from ..blockdance_core.analysis.metrics import radial_spectrum
from ..blockdance_core.analysis.recommendation import TOLERANCE, Recommendation, recommend
from ..blockdance_core.analysis.similarity import Similarity
from ..blockdance_core.comfy.probe import MOST_RUNS, attach_probe
from ..blockdance_core.figures import curves
from ..blockdance_core.figures import similarity as figures
from ..blockdance_core.figures.canvas import THEMES, Theme, message
from ..blockdance_core.methods.method import three_quarters
from ..blockdance_core.plan.plan import Kind
from ..blockdance_core.words import count
from . import server as notify
from .patch import TRANSFORMER
from .report import CATEGORY, latent_input, runs_behind, shown, theme_input
from .server import callable_by_scripts


class BlockDanceProbe(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceProbe",
            display_name="Feature Similarity Probe",
            category=CATEGORY,
            description="Records during a full run how alike each block's features and deltas are from step to step. "
                        "The picture stays the same, bit for bit. Feature Similarity shows the result.",
            search_aliases=["blockdance", "similarity", "probe", "analyse", "features", "pca", "heat map"],
            inputs=[io.Model.Input("model", tooltip=f"{TRANSFORMER} The probe takes the place of a BlockDance patch "
                                                    "that the model may have.")],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, recording. Connect it to the "
                                                                   "sampler and to Feature Similarity.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    @callable_by_scripts
    def execute(cls, model) -> io.NodeOutput:
        node_id = notify.id_of(cls)
        return io.NodeOutput(attach_probe(model, lambda similarity: notify.show(
            f"recorded {count(len(similarity.steps), 'evaluation')} of "
            f"{count(similarity.transformer.depth, 'block')}", node_id)))


class BlockDanceSimilarity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceSimilarity",
            display_name="Feature Similarity",
            category=CATEGORY,
            description="Shows what Feature Similarity Probe has recorded, and recommends settings for BlockDance "
                        "Patch.",
            search_aliases=["blockdance", "similarity", "heat map", "pca", "recommend settings", "spectrum"],
            inputs=[
                io.Model.Input("model", tooltip="The model that the sampler got, from Feature Similarity Probe."),
                latent_input(),
                io.Int.Input(
                    "block_index", default=-1, min=-1, max=999,
                    tooltip="The block whose steps are compared with each other, and which is framed in the maps. "
                            "-1 = the recommended one."),
                io.Float.Input(
                    "tolerance", default=TOLERANCE, min=.005, max=1., step=.005, round=.001,
                    tooltip="How far features may move from one step to the next (relative L1) and still be reused: "
                            "lower stays closer to the full picture, higher saves more. 0.04 to 0.10 are sensible."),
                io.Image.Input("image_a", optional=True, tooltip="Optional: a picture in full, for the spectrum."),
                io.Image.Input("image_b", optional=True, tooltip="Optional: the same picture with a patch."),
                theme_input(),
            ],
            outputs=[
                io.String.Output(display_name="recommendation", tooltip="block_index, start and end, and why."),
                io.Image.Output(display_name="features", tooltip="How alike features are, by block and evaluation."),
                io.Image.Output(display_name="deltas", tooltip="How alike deltas are, by block and evaluation."),
                io.Image.Output(display_name="steps", tooltip="One block, every evaluation against every other."),
                io.Image.Output(display_name="pca", tooltip="What the features of some blocks show at some steps."),
                io.Image.Output(display_name="spectrum", tooltip="Outline and detail of image_a and image_b."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt], not_idempotent=True,  # server.py says why
            is_output_node=True,
        )

    @classmethod
    @callable_by_scripts
    def execute(cls, model, latent, block_index: int, tolerance: float, image_a: torch.Tensor | None = None,
                image_b: torch.Tensor | None = None, theme: str = "dark") -> io.NodeOutput:
        similarity = next(reversed(runs_behind(cls, "latent", model, Similarity)), None)
        if similarity is None or not similarity.steps:
            raise ValueError("there is no finished run with a probe: connect the output of Feature Similarity Probe "
                             "both to the sampler and to `model`, and the sampler's output to `latent` (of a list, the "
                             f"latest {MOST_RUNS} runs are kept)")
        depth, name = similarity.transformer.depth, similarity.transformer.name
        if block_index >= depth:
            raise ValueError(f"block_index is {block_index}, but {name} has {count(depth, 'block')}: use 0 to "
                             f"{depth - 1}, or -1 for the recommended one")
        found, reason = _advice(similarity, tolerance)
        block, colors = block_index, THEMES[theme]
        if block == -1:
            block = three_quarters(depth) - 1 if found is None else found.block_index
        text = "\n".join((reason, *similarity.notes))
        notify.show(text, notify.id_of(cls))
        output = shown(cls, [text], [
            *(figures.changes(similarity, kind, block, colors) for kind in Kind),
            figures.matrices(similarity, block, colors), figures.feature_pictures(similarity, colors),
            _spectrum(image_a, image_b, colors)])
        # for the button on the node
        output.ui["recommended"] = () if found is None else (
            {"block_index": found.block_index, "start": found.start, "end": found.end},)
        return output


def _advice(similarity: Similarity, tolerance: float) -> tuple[Recommendation | None, str]:
    """The recommendation and its reason in words, or why there is none."""
    try:
        found = recommend(similarity, tolerance)
    except ValueError as error:
        return None, str(error)
    return found, found.reason


def _spectrum(image_a: torch.Tensor | None, image_b: torch.Tensor | None, theme: Theme) -> Image.Image:
    if image_a is None or image_b is None:
        return message(curves.SPECTRA, "Connect image_a (a full run) and image_b (the same with a patch) to compare "
                                     "their spectra.", theme)
    return curves.spectra(radial_spectrum(image_a), radial_spectrum(image_b), theme)
