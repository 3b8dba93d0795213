"""The exact judge of shapes world: what does a picture show in each cell?

Render and compare: every shape, colour, place and size that the world can draw is laid over the cell, and the one
with the smallest squared error wins. No learned part, so a score means the same for every model and method.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import world


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


def check(picture: np.ndarray, scene: world.Scene) -> Score:
    """Score one picture, (SIZE, SIZE, 3) in [0, 1], against the scene that its caption describes."""
    background, cells = read(picture)
    wanted = {o.cell: o for o in scene.objects}
    found = {cell: what for cell, what in enumerate(cells) if what is not None}
    background_right = background == scene.background
    placed = [cell for cell in wanted if cell in found and found[cell][1] == wanted[cell].color and background_right]
    right = [cell for cell in placed if found[cell][0] == wanted[cell].shape]
    return Score(len(wanted), len(placed), len(right), len(found.keys() - wanted.keys()))


def read(picture: np.ndarray) -> tuple[int, list[tuple[int, int] | None]]:
    """What a picture shows: the background, and (shape, colour) or None for each cell."""
    if picture.shape != (world.SIZE, world.SIZE, 3):
        raise ValueError(f"a shapes-world picture is {world.SIZE} x {world.SIZE} x 3, not {picture.shape}")
    distance = ((picture[:, :, None] - world.BACKGROUND_RGB) ** 2).sum(-1)  # (S, S, backgrounds)
    background = int(np.bincount(distance.argmin(-1).ravel(), minlength=len(world.BACKGROUNDS)).argmax())
    plain = world.BACKGROUND_RGB[background]
    shapes, masks = _masks()
    cells = []
    for cell in range(len(world.CELLS)):
        row, column = divmod(cell, 3)
        crop = picture[row * world.CELL_SIZE:(row + 1) * world.CELL_SIZE,
                       column * world.CELL_SIZE:(column + 1) * world.CELL_SIZE].reshape(-1, 3) - plain  # (P, 3)
        object_rgb = world.COLOR_RGB * .95 - plain  # (K, 3), the middle of the brightness range
        # |crop - mask * colour|^2 without |crop|^2, which is the error of the empty cell
        error = (masks ** 2).sum(1)[:, None] * (object_rgb ** 2).sum(1) - 2 * (masks @ crop) @ object_rgb.T  # (M, K)
        mask, color = np.unravel_index(error.argmin(), error.shape)
        # Less than half of the energy that the object would have: a stain, not an object
        energy = (masks[mask] ** 2).sum() * (object_rgb[color] ** 2).sum()
        cells.append((int(shapes[mask]), int(color)) if error[mask, color] < -.5 * energy else None)
    return background, cells


@lru_cache(maxsize=1)
def _masks() -> tuple[np.ndarray, np.ndarray]:
    """Every placement of every shape inside one cell: shape ids (M,) and coverages (M, CELL_SIZE ** 2)."""
    middle, size = world.CELL_SIZE / 2, world.CELL_SIZE
    offsets = np.linspace(-world.JITTER, world.JITTER, 5)
    shapes, masks = [], []
    for shape in range(len(world.SHAPES)):
        for radius in np.linspace(*world.RADIUS, 4):
            for x in offsets:
                for y in offsets:
                    shapes.append(shape)
                    masks.append(world.shape_mask(shape, middle + x, middle + y, radius)[:size, :size].ravel())
    return np.array(shapes), np.array(masks, np.float32)
