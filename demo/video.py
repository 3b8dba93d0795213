"""Shapes world in motion: short videos of the same shapes at half the size, each staying or moving to a neighbour cell.

Captions, embeddings and training pairs as in world.py; checker.py judges the first and the last frame.
"""

import re
from dataclasses import dataclass

import numpy as np

from . import world

MOTIONS = ("staying", "moving left", "moving right", "moving up", "moving down")
STEPS = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0))  # rows and columns

FRAMES = 16
SIZE = world.SIZE // 2
PATCH = (2, 4, 4)  # frames and pixels of a token
MAX_OBJECTS = 2

TOKENS = 1 + MAX_OBJECTS
CHANNELS = world.CHANNELS + len(MOTIONS)
LATENT = (3, FRAMES, SIZE, SIZE)  # what a model draws: pixels in [-1, 1]
PLACES = 6  # channels that say where a pixel is


@dataclass(frozen=True)
class Mover:
    """An object that starts in its cell."""
    start: world.Object
    motion: int

    @property
    def end(self) -> world.Object:
        """The object in its last frame. Raises ValueError when it would have left the picture."""
        row, column = (place + step for place, step in zip(divmod(self.start.cell, 3), STEPS[self.motion]))
        if not (0 <= row < 3 and 0 <= column < 3):
            raise ValueError(
                f"{MOTIONS[self.motion]} from {world.CELLS[self.start.cell]} leaves the picture; start further away")
        return world.Object(self.start.shape, self.start.color, 3 * row + column)


@dataclass(frozen=True)
class Scene:
    """Objects that never share a cell."""
    background: int
    objects: tuple[Mover, ...]

    def __post_init__(self):
        visited = [cell for o in self.objects for cell in {o.start.cell, o.end.cell}]
        if len(set(visited)) < len(visited):
            raise ValueError("two objects start in, end in or pass one place")

    @property
    def first(self) -> world.Scene:
        return world.Scene(self.background, tuple(o.start for o in self.objects))

    @property
    def last(self) -> world.Scene:
        return world.Scene(self.background, tuple(o.end for o in self.objects))

    def caption(self) -> str:
        parts = [f"a {world.COLORS[o.start.color]} {world.SHAPES[o.start.shape]} {MOTIONS[o.motion]} from "
                 f"{world.CELLS[o.start.cell]}" for o in self.objects]
        return ", ".join([*parts, f"on {world.BACKGROUNDS[self.background]}"]).replace("staying from", "staying at")


def random_scene(rng: np.random.Generator) -> Scene:
    count = rng.integers(1, MAX_OBJECTS + 1)
    background = int(rng.integers(len(world.BACKGROUNDS)))
    while True:
        try:
            return Scene(background, tuple(
                Mover(world.Object(int(rng.integers(len(world.SHAPES))), int(rng.integers(len(world.COLORS))),
                                   int(rng.integers(len(world.CELLS)))), int(rng.integers(len(MOTIONS))))
                for _ in range(count)))
        except ValueError:  # out of the picture or into each other: draw again
            continue


def parse_caption(text: str) -> Scene:
    """The scene that a caption such as "a red circle moving right from top left, on navy" describes.

    Raises ValueError naming the part that is not understood and the words that are.
    """
    objects, background = [], None
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        if match := re.fullmatch(world.ON_BACKGROUND, part):
            background = world.index(world.BACKGROUNDS, match[1], "background", part)
        elif match := re.fullmatch(r"an? (\w+) (\w+) (staying|moving \w+) (?:at|from) (?:the )?([\w ]+)", part):
            objects.append(Mover(
                world.Object(world.index(world.SHAPES, match[2], "shape", part),
                             world.index(world.COLORS, match[1], "color", part),
                             world.index(world.CELLS, match[4], "place", part)),
                world.index(MOTIONS, match[3], "motion", part)))
        else:
            raise ValueError(f"cannot read {part!r}; write 'a <color> <shape> moving <direction> from <place>', "
                             "'a <color> <shape> staying at <place>' or 'on <background>'")
    if background is None:
        raise ValueError(
            f"{text!r} names no background; end with 'on <background>', one of {', '.join(world.BACKGROUNDS)}")
    if not 1 <= len(objects) <= MAX_OBJECTS:
        raise ValueError(f"{text!r} has {len(objects)} objects; between 1 and {MAX_OBJECTS} fit")
    return Scene(background, tuple(objects))


def embed(scene: Scene | None) -> np.ndarray:
    """Caption embedding (TOKENS, CHANNELS): that of the first frame, and one-hot motions. All zeros for None."""
    tokens = np.zeros((TOKENS, CHANNELS), np.float32)
    if scene is not None:
        tokens[:, :world.CHANNELS] = world.embed(scene.first)[:TOKENS]
        for token, o in zip(tokens[1:], scene.objects):
            token[world.CHANNELS + o.motion] = 1
    return tokens


def render(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """One video of the scene, (FRAMES, SIZE, SIZE, 3) in [0, 1]; objects move at constant speed."""
    plain = world.plain(scene.background, rng)
    looks = [world.Look.random(rng) for _ in scene.objects]
    frames = []
    for moved in np.linspace(0, 1, FRAMES):
        frame = plain.copy()
        for look, o in zip(looks, scene.objects):
            start, end = np.array(world.cell_center(o.start.cell)), np.array(world.cell_center(o.end.cell))
            look.draw(frame, o.start, *(start + moved * (end - start)))
        frames.append(world.shrink(frame))
    return np.clip(frames, 0, 1)


def places() -> np.ndarray:
    """Where each pixel is, (PLACES, FRAMES, SIZE, SIZE): for frame, row and column, how far from the middle and a wave
    that is highest there."""
    middles = np.meshgrid(*(np.linspace(-1, 1, size) for size in LATENT[1:]), indexing="ij")
    return np.stack([*middles, *(np.cos(np.pi * middle) for middle in middles)]).astype(np.float32)


def batch(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Training pairs: videos (size, 3, FRAMES, SIZE, SIZE) in [-1, 1] and embeddings (size, TOKENS, CHANNELS)."""
    scenes = [random_scene(rng) for _ in range(size)]
    videos = np.stack([render(scene, rng) for scene in scenes]).transpose(0, 4, 1, 2, 3) * 2 - 1
    return videos, np.stack([embed(scene) for scene in scenes])
