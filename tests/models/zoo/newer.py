"""Transformers that came with a ComfyUI newer than the one that the table of models is written with."""

import builtins
import importlib
from contextlib import ExitStack, nullcontext
from typing import ContextManager
from unittest.mock import patch

from blockdance.tests.models.tiny import Tiny, newer
from blockdance.tests.models.zoo.video import CLIP_VISION, FIRST_FRAME, FRAMES, WAN


def _few_light_layers() -> ContextManager:
    """ComfyUI writes down how many layers MiniMax Music has, and how wide they are."""
    try:
        dit = importlib.import_module("comfy.ldm.minimax_music.dit")
    except ImportError:
        return nullcontext()
    stack = ExitStack()
    wide = dit.FeedForward
    stack.enter_context(patch.object(dit, "range", lambda _: builtins.range(5), create=True))
    stack.enter_context(patch.object(dit, "FeedForward", lambda width, _, *settings: wide(width, 64, *settings)))
    return stack


NEWER: dict[str, Tiny] = {
    "Wan Animate 2": Tiny(
        newer("WAN_Animate2"), WAN | dict(model_type="animate2", in_dim=36), FRAMES,
        FIRST_FRAME | CLIP_VISION | {"pose_latents": (16, 1, 8, 8)}),
    "MiniMax Music 3": Tiny(
        newer("MiniMaxMusic3"), dict(audio_model="minimax_music3"), (128, 20),
        {"c_crossattn": (6, 8 * 4096), "conditioning_scale": (1, 1)}, shrunk=_few_light_layers),
}
