"""Compare Image Quality: how far a picture is from its reference."""

import math
from statistics import fmean

import torch
from comfy_api.latest import io, ui

from ..blockdance_core.analysis.metrics import lpips as perceptual_distance
from ..blockdance_core.analysis.metrics import mean_psnr, psnr, ssim
from ..blockdance_core.closeness import closeness
from ..blockdance_core.words import count
from . import server as notify
from .report import CATEGORY
from .server import callable_by_scripts


class BlockDanceQuality(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceQuality",
            display_name="Compare Image Quality",
            category=CATEGORY,
            description="How far a picture is from its reference: PSNR, SSIM and a picture of the differences. Compare "
                        "a patched run with the full run of the same seed.",
            search_aliases=["blockdance", "psnr", "ssim", "lpips", "compare images", "difference", "quality"],
            inputs=[
                io.Image.Input("reference", tooltip="The picture of the full run."),
                io.Image.Input("image", tooltip="The picture to judge, of the same size."),
                io.Float.Input("amplify", default=8., min=1., max=100., step=1., advanced=True,
                               tooltip="How much brighter than they are the differences are drawn. 8 shows what PSNR "
                                       "above 35 dB hides; 1 shows them as they are."),
                io.Boolean.Input("lpips", default=False, advanced=True,
                                 tooltip="Also LPIPS, a learned distance that follows the eye better and takes a "
                                         "second or two; below 0.05 is hard to see. Needs the Python package lpips, "
                                         "which downloads its network when it is first used; without it the text "
                                         "says so."),
            ],
            outputs=[
                io.Float.Output(display_name="psnr", tooltip="dB, higher is closer; infinite for equal pictures. From "
                                                             "about 40 dB on the two are hard to tell apart."),
                io.Float.Output(display_name="ssim", tooltip="Up to 1, higher is closer."),
                io.Image.Output(display_name="difference", tooltip="Absolute difference, amplified: black is equal."),
                io.String.Output(display_name="text", tooltip="The numbers in one line per picture."),
            ],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
            is_output_node=True,
        )

    @classmethod
    @callable_by_scripts
    def execute(cls, reference: torch.Tensor, image: torch.Tensor, amplify: float, lpips: bool) -> io.NodeOutput:
        a, b = matched(reference, image)
        psnrs = psnr(a, b).tolist()
        ssims = ssim(a, b).tolist()
        lines = [_words(p, s) for p, s in zip(psnrs, ssims)]
        distances, missing = perceptual_distance(a, b) if lpips else (None, "")
        if distances is not None:
            lines = [f"{line}, LPIPS {distance:.4f}" for line, distance in zip(lines, distances)]
        if len(lines) > 1:
            lines = [f"{number}: {line}" for number, line in enumerate(lines)]
            lines.append(_summary(psnrs, ssims))
            if distances is not None:
                lines[-1] += f", LPIPS {fmean(distances):.4f}"
        if missing:
            lines[-1] += f"; {missing}"
        difference = ((a - b).abs() * amplify).clamp(0, 1).movedim(1, -1)
        notify.show(lines[-1], notify.id_of(cls))
        return io.NodeOutput(mean_psnr(psnrs), fmean(ssims), difference, "\n".join(lines),
                             ui=ui.PreviewImage(difference, cls=cls))


def matched(reference: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both as (B, 3, H, W), without alpha; a single picture is compared with each of the other batch.

    Raises ValueError for pictures of different sizes and for batches of different lengths.
    """
    if reference.shape[1:3] != image.shape[1:3]:
        (h, w), (height, width) = reference.shape[1:3], image.shape[1:3]
        raise ValueError(f"reference is {w} x {h} pixels, image {width} x {height}: scale one to the other's size")
    count = max(len(reference), len(image))
    if {len(reference), len(image)} - {1, count}:
        raise ValueError(f"reference has {len(reference)} pictures, image {len(image)}: use as many of both, or one")
    a, b = (batch[..., :3].movedim(-1, 1).float().expand(count, -1, -1, -1) for batch in (reference, image))
    return a, b


def _words(psnr_value: float, ssim_value: float, apart: str = "") -> str:
    if math.isnan(psnr_value):
        return "not comparable: a picture has values that are no numbers (NaN)"
    if math.isinf(psnr_value):
        return "identical"
    return f"PSNR {psnr_value:.2f} dB{apart}, SSIM {ssim_value:.4f}, {closeness(psnr_value)}"


def _summary(psnrs: list[float], ssims: list[float]) -> str:
    """The mean of a batch, in words."""
    equal = sum(map(math.isinf, psnrs))
    apart = f" without {count(equal, 'identical picture')}" if 0 < equal < len(psnrs) else ""
    return f"mean: {_words(mean_psnr(psnrs), fmean(ssims), apart)}"
