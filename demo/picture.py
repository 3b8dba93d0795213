"""One picture of the comparison: how it is drawn, and what was measured while it was."""

import io
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from . import client, workflow, world
from .options import Options

REPORT = re.compile(r"(\d+) of (\d+) blocks executed")


@dataclass(frozen=True)
class Arm:
    """One way of sampling; N None is ComfyUI alone, without any node of ours."""
    name: str
    N: int | None


ARMS = (Arm("full", None), Arm("BlockDance N=2", 2), Arm("BlockDance N=3", 3), Arm("BlockDance N=4", 4))


@dataclass(frozen=True)
class Picture:
    arm: Arm
    scene: world.Scene
    png: bytes
    pixels: np.ndarray  # (SIZE, SIZE, 3) in [0, 1]
    seconds: float  # of the KSampler node
    blocks: tuple[int, int] | None  # executed, total, as counted during the run; None without our node


def scenes(count: int) -> list[world.Scene]:
    """The demo's captions: one, two, three, four objects, one, ..."""
    rng = np.random.default_rng(2025)
    chosen: list[world.Scene] = []
    while len(chosen) < count:
        scene = world.random_scene(rng)
        if len(scene.objects) == len(chosen) % world.MAX_OBJECTS + 1:
            chosen.append(scene)
    return chosen


def draw(url: str, arm: Arm, scene: world.Scene, seed: int, options: Options,
         on_progress: client.Progress | None = None) -> Picture:
    """Have the server at `url` draw a scene. Raises client.PromptError and client.ServerLost."""
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Caption", caption=scene.caption())
    workflow.set_inputs(prompt, "Sampler", seed=seed, steps=options.steps, cfg=options.cfg)
    if arm.N is None:
        workflow.remove_patch(prompt)
    else:
        workflow.set_inputs(prompt, workflow.PATCH, N=arm.N)
    result = client.submit(url, prompt, on_progress)
    png = result.images[workflow.node_id(prompt, "Save")][0]
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.float32) / 255
    seconds = result.seconds[workflow.node_id(prompt, "Sampler")]
    return Picture(arm, scene, png, pixels, seconds, None if arm.N is None else blocks(prompt, result))


def blocks(prompt: workflow.Prompt, result: client.Result) -> tuple[int, int]:
    """Executed and total blocks, from the report that the node has shown. Raises PromptError when it showed none."""
    lines = result.texts.get(workflow.node_id(prompt, workflow.PATCH), [])
    for line in reversed(lines):
        if match := REPORT.search(line):
            return int(match[1]), int(match[2])
    raise client.PromptError(f"{workflow.PATCH} showed no report of executed blocks, only {lines}")
