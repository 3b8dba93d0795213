"""One picture of the comparison: how it is drawn, and what was measured while it was."""

import io
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lab.headless import client

from . import workflow
from .options import Options

REPORT = re.compile(r"(\d+) of (\d+) blocks executed")


@dataclass(frozen=True)
class Arm:
    """One way of sampling: a patch node with its inputs, or ComfyUI alone, with this share of the steps."""
    name: str
    node: str | None = None
    inputs: tuple[tuple[str, workflow.Value], ...] = ()
    share: float = 1.

    def steps(self, full: int) -> int:
        return max(1, round(full * self.share))


@dataclass(frozen=True)
class Picture:
    arm: Arm
    caption: str
    png: bytes
    pixels: np.ndarray  # (S, S, 3) in [0, 1]
    seconds: float  # of the KSampler node
    blocks: tuple[int, int] | None  # executed, total, as counted during the run; None without our node
    steps: int


def draw(url: str, template: workflow.Template, arm: Arm, caption: str, seed: int, options: Options,
         on_progress: client.Progress | None = None) -> Picture:
    """Have the server at `url` draw a caption. Raises client.PromptError and client.ServerLost."""
    prompt = template.load()
    workflow.set_inputs(prompt, "Caption", **{template.caption: caption})
    steps = arm.steps(options.steps)
    workflow.set_inputs(prompt, "Sampler", seed=seed, steps=steps, cfg=options.cfg)
    if arm.node is None:
        workflow.remove_patch(prompt)
    else:
        workflow.exchange_patch(prompt, arm.node, dict(arm.inputs))
    result = client.submit(url, prompt, on_progress)
    png = result.images[workflow.node_id(prompt, "Save")][0]
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.float32) / 255
    seconds = result.seconds[workflow.node_id(prompt, "Sampler")]
    counted = None if arm.node is None else blocks(prompt, result)
    return Picture(arm, caption, png, pixels, seconds, counted, steps)


def blocks(prompt: workflow.Prompt, result: client.Result) -> tuple[int, int]:
    """Executed and total blocks, from the report that the node has shown. Raises PromptError when it showed none."""
    lines = result.texts.get(workflow.node_id(prompt, workflow.PATCH), [])
    for line in reversed(lines):
        if match := REPORT.search(line):
            return int(match[1]), int(match[2])
    raise client.PromptError(f"{workflow.PATCH} showed no report of executed blocks, only {lines}")
