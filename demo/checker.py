"""The exact judge of shapes world: what does a picture show in each cell?

Render and compare: every shape, colour, place and size that the world can draw is laid over the cell, and the one
with the smallest squared error wins. No learned part, so a score means the same for every model and method.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import video, world


@dataclass(frozen=True)
class Score:
    """How many of a caption's objects a picture shows; `extra` counts objects nobody asked for."""
    objects: int
    placed: int  # right cell and colour, on the right background
    right: int  # placed, with the right shape too
    extra: int

    def __add__(self, other: "Score") -> "Score":
        return Score(self.objects + other.objects, self.placed + other.placed, self.right + other.right,
                     self.extra + other.extra)


def check(pixels: np.ndarray, scene: world.Scene | video.Scene) -> Score:
    """Score a picture (SIZE, SIZE, 3) or a video (FRAMES, SIZE, SIZE, 3), in [0, 1], against the scene of its caption.

    An object of a video must be right in the first and in the last frame.
    """
    if isinstance(scene, video.Scene):
        first, extra_first = _compare(pixels[0], scene.first)
        last, extra_last = _compare(pixels[-1], scene.last)
        verdicts = [(a and c, b and d) for (a, b), (c, d) in zip(first, last)]
        extra = max(extra_first, extra_last)
    else:
        verdicts, extra = _compare(pixels, scene)
    placed, right = (sum(column) for column in zip(*verdicts))
    return Score(len(verdicts), placed, right, extra)


def _compare(picture: np.ndarray, scene: world.Scene) -> tuple[list[tuple[bool, bool]], int]:
    """For each object of the scene, whether it is placed and whether it is right; and how many others there are."""
    background, cells = read(picture)
    verdicts = []
    for o in scene.objects:
        found = cells[o.cell]
        placed = found is not None and found[1] == o.color and background == scene.background
        verdicts.append((placed, placed and found[0] == o.shape))
    wanted = {o.cell for o in scene.objects}
    return verdicts, sum(what is not None and cell not in wanted for cell, what in enumerate(cells))


def read(picture: np.ndarray) -> tuple[int, list[tuple[int, int] | None]]:
    """What a picture or a frame of a video shows: the background, and (shape, colour) or None for each cell."""
    if picture.shape not in ((world.SIZE, world.SIZE, 3), (video.SIZE, video.SIZE, 3)):
        raise ValueError(f"a shapes-world picture is {world.SIZE} x {world.SIZE} x 3 and a frame of a video "
                         f"{video.SIZE} x {video.SIZE} x 3, not {picture.shape}")
    side = len(picture) // 3  # of a cell
    distance = ((picture[:, :, None] - world.BACKGROUND_RGB) ** 2).sum(-1)  # (S, S, backgrounds)
    background = int(np.bincount(distance.argmin(-1).ravel(), minlength=len(world.BACKGROUNDS)).argmax())
    plain = world.BACKGROUND_RGB[background]
    shapes, masks = _masks(world.SIZE // len(picture))
    cells = []
    for cell in range(len(world.CELLS)):
        row, column = divmod(cell, 3)
        crop = picture[row * side:(row + 1) * side, column * side:(column + 1) * side].reshape(-1, 3) - plain  # (P, 3)
        object_rgb = world.COLOR_RGB * .95 - plain  # (K, 3), the middle of the brightness range
        # |crop - mask * colour|^2 without |crop|^2, which is the error of the empty cell
        error = (masks ** 2).sum(1)[:, None] * (object_rgb ** 2).sum(1) - 2 * (masks @ crop) @ object_rgb.T  # (M, K)
        mask, color = np.unravel_index(error.argmin(), error.shape)
        # Less than half of the energy that the object would have: a stain, not an object
        energy = (masks[mask] ** 2).sum() * (object_rgb[color] ** 2).sum()
        cells.append((int(shapes[mask]), int(color)) if error[mask, color] < -.5 * energy else None)
    return background, cells


@lru_cache(maxsize=2)
def _masks(factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Every placement of every shape in one cell of a picture `factor` times smaller: shape ids (M,), coverages
    (M, pixels of the cell)."""
    middle, size = world.CELL_SIZE / 2, world.CELL_SIZE
    offsets = np.linspace(-world.JITTER, world.JITTER, 5)
    shapes, masks = [], []
    for shape in range(len(world.SHAPES)):
        for radius in np.linspace(*world.RADIUS, 4):
            for x in offsets:
                for y in offsets:
                    shapes.append(shape)
                    mask = world.shape_mask(shape, middle + x, middle + y, radius)[:size, :size]
                    masks.append(world.shrink(mask, factor).ravel())
    return np.array(shapes), np.array(masks, np.float32)
