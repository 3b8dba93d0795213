"""What demo models are asked to draw: captions of their worlds, and what a model gets of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol, Sequence

import numpy as np
import torch
from safetensors import safe_open

from ...demo import model, picture_world, video, world
from .setting import BASE, PICTURES, Setting

MEASURED, CALIBRATION = 20_000_000, 30_000_000  # seeds of captions; training draws its scenes from fresh entropy


@dataclass(frozen=True)
class PictureCaption:
    """One of picture world, in words. What is drawn of it nobody can check exactly."""
    text: str

    def caption(self) -> str:
        return self.text


Scene = world.Scene | video.Scene | PictureCaption


class Captions(Protocol):
    """Of one model. latent: the shape of what it draws; base: the way of sampling that it is measured in first."""
    latent: tuple[int, ...]
    base: Setting

    def scenes(self, count: int, of: int) -> list[Scene]:
        """The first captions of a set, MEASURED or CALIBRATION; more of them begin with the same ones."""

    def conditioning(self, scenes: Sequence[Scene | None]) -> list:
        """ComfyUI's CONDITIONING for these, a row each; None is the unconditional prompt."""


def captions_of(weights: Path) -> Captions:
    """Those of the model in a weights file."""
    of = model.architecture_of(weights).world
    return PictureCaptions(weights) if of is picture_world else SceneCaptions(of)


class SceneCaptions:
    """Of shapes world and its videos: every scene is as likely in both sets."""
    base = BASE

    def __init__(self, of: ModuleType):
        self._world = of
        self.latent = of.LATENT

    def scenes(self, count: int, of: int) -> list[Scene]:
        rng = np.random.default_rng(of)
        return [self._world.random_scene(rng) for _ in range(count)]

    def conditioning(self, scenes: Sequence[Scene | None]) -> list:
        return model.conditioning(np.stack([self._world.embed(scene) for scene in scenes]))


class PictureCaptions:
    """Of picture world, in the words that come with a model. Measured ones have combinations of thing and ground that
    no training has seen; calibration ones have the others, as the prompts of a user mostly do."""
    base = PICTURES
    latent = picture_world.LATENT

    def __init__(self, weights: Path):
        """Raises ValueError where the file is of no model of picture world."""
        self._encoder = model.load_text_encoder(weights)
        with safe_open(weights, "pt") as file:
            self.names: list[str] = json.loads(file.metadata()["names"])

    def scenes(self, count: int, of: int) -> list[Scene]:
        rng = np.random.default_rng(of)
        return [self._random(rng, held_out=of == MEASURED) for _ in range(count)]

    def conditioning(self, scenes: Sequence[Scene | None]) -> list:
        tokens = torch.cat([self._encoder.tokens(scene.text if scene else "") for scene in scenes])
        return model.conditioning_of(self._encoder(tokens))

    def _random(self, rng: np.random.Generator, held_out: bool) -> PictureCaption:
        """With all that a caption can say but for the category, which comes with the drawings."""
        thing, other = rng.integers(len(self.names), size=2)
        drawn, size, place, ground = (int(rng.integers(len(some))) for some in (
            picture_world.SETS, picture_world.SIZES, picture_world.PLACES, picture_world.GROUNDS))
        color = rng.choice([color for color in range(len(picture_world.COLORS))
                            if picture_world.is_held_out(int(thing), drawn, ground, color) == held_out])
        one_set, name = picture_world.SETS[drawn], self.names[thing]
        on = f"on {picture_world.GROUNDS[ground]} {list(picture_world.COLORS)[color]}"
        if rng.random() < picture_world.PAIRS:
            return PictureCaption(f"{name} {picture_world.PAIR} {self.names[other]}, {one_set}, {on}")
        large = size == list(picture_world.SIZES).index("large")  # and then in the centre
        where = list(picture_world.PLACES)[0 if large else place]
        return PictureCaption(f"{name}, {one_set}, {list(picture_world.SIZES)[size]}, {where}, {on}")
