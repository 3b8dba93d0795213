"""Picture world in the main job: emoji on grounds that the models were never trained to draw together.

Each caption is held out by picture_world's rule: no training picture had this thing of this set on this ground.
"""

from functools import cache

import numpy as np
import torch

from . import recognizer, workflow
from .picture import Arm
from .showcase import DELTA_METHODS, Measuring, Showcase, Verdict, auto, blockdance

CAPTIONS = (
    "hatching chick, twemoji, medium, center, on striped sky",
    "hamburger, noto, large, center, on checkered yellow",
    "avocado, noto, medium, center, on cloudy blue",
    "hot pepper, fluent, large, center, on striped purple",
    "lion face, twemoji, medium, right, on striped yellow",
    "panda face, twemoji, large, center, on checkered sky",
    "ghost, twemoji, medium, left, on striped red",
    "jack o lantern, twemoji, large, center, on cloudy teal",
)
MEASURED = "pineapple, fluent, large, center, on plain pink"
# Those that cost the same stand side by side
ARMS = (
    Arm("full"), auto(2., "auto"), Arm("half the steps", share=1 / 2), auto(3., "auto"),
    Arm("a third of the steps", share=1 / 3), blockdance(2), *DELTA_METHODS,
)


def captions(count: int) -> list[str]:
    """Over and over where there are not so many; seeds differ."""
    return [CAPTIONS[number % len(CAPTIONS)] for number in range(count)]


def thing(caption: str) -> str:
    """The name of what a caption asks for."""
    return caption.split(",")[0]


def judge(caption: str, pixels: np.ndarray) -> Verdict:
    """Whether the classifier takes the picture for its thing, and not for one of the names that are drawn for it."""
    network = _network()
    index = network.names.index(thing(caption))
    picture = torch.from_numpy(pixels).movedim(-1, 0)[None] * 2 - 1  # (1, 3, S, S)
    others = torch.Generator().manual_seed(index)  # the same for every way of sampling
    return Verdict(int(network.picks(picture, torch.tensor([index]), others)), 1)


@cache
def _network() -> recognizer.Recognizer:
    return recognizer.load()


SHOWCASE = Showcase(
    workflow.PICTURES, "flux_pictures.safetensors", ARMS, captions, judge, "recognised",
    f"a classifier that chooses among {recognizer.CHOICES} names recognises {{right}} of {{of}}",
    Measuring(auto(2., "auto"), MEASURED))
