"""Look inside a model, get settings recommended, try them and see what was executed: on PixArt-Sigma."""

from dataclasses import replace

from . import shapes_world
from .accelerators import BLOCKDANCE
from .comparison import VIEW, Source, branch, seed_of, side_by_side
from .graph import Demonstration, Group, Node, Workflow
from .notes import note
from .pixart import source as pixart_sigma

NAME = "For researchers, probe PixArt-Sigma and choose settings"


def probe_and_choose() -> Workflow:
    source = pixart_sigma()
    about = note("Probe a model and choose settings", """
1. **Feature Similarity Probe** records, in a run in full, how alike each block's features are from step to step. The
picture is the same, bit for bit.
2. **Feature Similarity** draws it and recommends *block_index*, *start* and *end* in words.
3. Enter them in **BlockDance Patch** and run again: only the lower branch is sampled anew. **BlockDance Report** shows
what was executed and the time of each evaluation, the two pictures what it did to the result.

**First knob: tolerance** of Feature Similarity, how far features may move and still be reused. 0.04 to 0.10 are
sensible; higher saves more.

For another model, replace the loaders and the sampler's settings.
""", source.loading)
    made, _ = _probing(source, about)
    return replace(made, demonstration=Demonstration(*_probing(shapes_world.source(), Node("MarkdownNote"))))


def _probing(source: Source, about: Node) -> tuple[Workflow, tuple[Node, ...]]:
    """The workflow, and of it the node that the thumbnail shows."""
    seed = seed_of(source)
    probe = Node("BlockDanceProbe", {"model": source.model}, size=(330, 0))
    patch = BLOCKDANCE.on(source.model)
    full = branch(source, probe[0], seed, "in full, probed")
    accelerated = branch(source, patch[0], seed, "accelerated")
    similarity = Node("BlockDanceSimilarity", {
        "model": probe[0], "latent": full.sampler[0], "image_a": full.decode[0], "image_b": accelerated.decode[0]},
        size=(420, 560))
    return Workflow(NAME, (
        (Group("", (about,)),),
        (Group("1 Models", source.loading),),
        (Group("2 Prompt", (*source.prompting, seed)),),
        (Group("3 Probe", (probe,)), Group("5 Accelerate", (patch,))),
        (Group("3 Sample in full", (full.sampler, full.decode)),
         Group("5 Sample accelerated", (accelerated.sampler, accelerated.decode))),
        (Group("4 Choose", (similarity, Node("PreviewAny", {"source": similarity[0]}, title="Recommendation",
                                             size=(420, 200)))),),
        (Group("6 Judge", (
            Node("BlockDanceReport", {"model": patch[0], "latent": accelerated.sampler[0]}, size=(VIEW[0], 400)),
            *side_by_side(full.decode[0], accelerated.decode[0]))),))), (similarity,)
