"""What the analysis nodes share."""

from typing import Sequence

from comfy_api.latest import io, ui
from PIL import Image

from ..blockdance_core.figures.canvas import THEMES, to_tensor
from .patch import CATEGORY as PATCHES

CATEGORY = f"{PATCHES}/analysis"


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
