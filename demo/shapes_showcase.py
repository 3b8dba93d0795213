"""Shapes world in the main job: scenes of one to four objects, and an exact check of each picture."""

import numpy as np

from . import base, checker, workflow, world
from .picture import Arm
from .showcase import DELTA_METHODS, Showcase, Verdict, auto, blockdance

ARMS = (
    Arm("full"), *map(blockdance, (2, 3, 4)), *DELTA_METHODS, *(auto(speedup, "general") for speedup in (2., 3.)),
    # What BlockDance N=2 and the Delta methods cost, spent on fewer steps instead
    Arm("fewer steps 77%", share=.775), Arm("fewer steps 63%", share=.625),
)


def captions(count: int) -> list[str]:
    """With one, two, three, four objects, one, ..."""
    rng = np.random.default_rng(2025)
    chosen: list[world.Scene] = []
    while len(chosen) < count:
        scene = world.random_scene(rng)
        if len(scene.objects) == len(chosen) % world.MAX_OBJECTS + 1:
            chosen.append(scene)
    return [scene.caption() for scene in chosen]


def judge(caption: str, pixels: np.ndarray) -> Verdict:
    score = checker.check(pixels, world.parse_caption(caption))
    return Verdict(score.right, score.objects)


SHOWCASE = Showcase(workflow.SHAPES, base.WEIGHTS_NAME, ARMS, captions, judge, "objects right",
                    "{right} of {of} objects are as the captions say")
