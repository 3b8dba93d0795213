"""Shapes world: small drawn scenes, their captions, and the caption embedding that the demo models are trained on.

A scene is one to four objects on a 3 x 3 grid over a plain background. Everything that a caption says can be
checked exactly in a picture (checker.py), which is what makes the demo models useful as a measuring stick.
"""

import re
from dataclasses import dataclass

import numpy as np

SHAPES = ("circle", "square", "triangle", "cross")
COLORS = ("red", "green", "blue", "yellow", "cyan", "magenta")
BACKGROUNDS = ("black", "white", "grey", "navy")
CELLS = ("top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right")

COLOR_RGB = np.array(
    [[.9, .15, .15], [.15, .8, .2], [.2, .3, .95], [.95, .9, .2], [.2, .85, .9], [.9, .25, .85]], np.float32)
BACKGROUND_RGB = np.array([[.05, .05, .05], [.95, .95, .95], [.5, .5, .5], [.1, .1, .35]], np.float32)

SIZE = 48  # ComfyUI's PixArt needs more than 32 latent pixels a side
CELL_SIZE = SIZE // 3
PATCH = 4  # pixels a side of a token
JITTER = 1.0  # an object's centre moves by up to this many pixels from the middle of its cell
RADIUS = (5.0, 6.8)
MAX_OBJECTS = 4
ON_BACKGROUND = r"on (?:a )?(\w+)(?: background)?"

# One token for the background, then one per object; a token is the concatenation of one-hot fields.
TOKENS = 1 + MAX_OBJECTS
CHANNELS = 1 + len(BACKGROUNDS) + len(SHAPES) + len(COLORS) + len(CELLS)

LATENT = (3, SIZE, SIZE)  # what a model draws: pixels in [-1, 1]

_PIXEL_Y, _PIXEL_X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) + .5


@dataclass(frozen=True)
class Object:
    shape: int
    color: int
    cell: int


@dataclass(frozen=True)
class Scene:
    background: int
    objects: tuple[Object, ...]

    def caption(self) -> str:
        parts = [f"a {COLORS[o.color]} {SHAPES[o.shape]} at {CELLS[o.cell]}" for o in self.objects]
        return ", ".join([*parts, f"on {BACKGROUNDS[self.background]}"])


def random_scene(rng: np.random.Generator) -> Scene:
    count = rng.integers(1, MAX_OBJECTS + 1)
    cells = rng.permutation(len(CELLS))[:count]
    objects = (Object(int(rng.integers(len(SHAPES))), int(rng.integers(len(COLORS))), int(cell)) for cell in cells)
    return Scene(int(rng.integers(len(BACKGROUNDS))), tuple(objects))


def parse_caption(text: str) -> Scene:
    """The scene that a caption such as "a red circle at top left, a blue cross at center, on navy" describes.

    Raises ValueError naming the part that is not understood and the words that are.
    """
    objects, background = [], None
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        if match := re.fullmatch(ON_BACKGROUND, part):
            background = index(BACKGROUNDS, match[1], "background", part)
        elif match := re.fullmatch(r"an? (\w+) (\w+) at (?:the )?([\w ]+)", part):
            objects.append(Object(
                index(SHAPES, match[2], "shape", part), index(COLORS, match[1], "color", part),
                index(CELLS, match[3], "place", part)))
        else:
            raise ValueError(f"cannot read {part!r}; write 'a <color> <shape> at <place>' or 'on <background>'")
    if background is None:
        raise ValueError(f"{text!r} names no background; end with 'on <background>', one of {', '.join(BACKGROUNDS)}")
    if not 1 <= len(objects) <= MAX_OBJECTS:
        raise ValueError(f"{text!r} has {len(objects)} objects; between 1 and {MAX_OBJECTS} fit")
    if len({o.cell for o in objects}) < len(objects):
        raise ValueError(f"{text!r} puts two objects in one place")
    return Scene(background, tuple(objects))


def index(words: tuple[str, ...], word: str, kind: str, part: str) -> int:
    """Where `word` of a caption's `part` stands among `words`; ValueError with the words that there are."""
    if word not in words:
        raise ValueError(f"unknown {kind} {word!r} in {part!r}; known: {', '.join(words)}")
    return words.index(word)


def embed(scene: Scene | None) -> np.ndarray:
    """Caption embedding (TOKENS, CHANNELS); all zeros for None, the empty caption of the unconditional pass.

    Binding words to objects is a text encoder's job, so an object arrives as one token, as it would from a real one.
    """
    tokens = np.zeros((TOKENS, CHANNELS), np.float32)
    if scene is None:
        return tokens
    shape_at = 1 + len(BACKGROUNDS)
    color_at = shape_at + len(SHAPES)
    cell_at = color_at + len(COLORS)
    tokens[0, [0, 1 + scene.background]] = 1
    for token, o in zip(tokens[1:], scene.objects):
        token[[0, shape_at + o.shape, color_at + o.color, cell_at + o.cell]] = 1
    return tokens


def shape_mask(shape: int, center_x: float, center_y: float, radius: float) -> np.ndarray:
    """Anti-aliased coverage in [0, 1] of one shape, (SIZE, SIZE), from its signed distance."""
    dx, dy = _PIXEL_X - center_x, _PIXEL_Y - center_y
    if SHAPES[shape] == "circle":
        distance = np.sqrt(dx * dx + dy * dy) - radius
    elif SHAPES[shape] == "square":
        distance = np.maximum(abs(dx), abs(dy)) - radius * .85
    elif SHAPES[shape] == "triangle":
        distance = np.maximum(abs(dx) * .866 - dy * .5, dy) - radius * .6
    else:
        bar = radius * .33
        distance = np.minimum(np.maximum(abs(dx) - bar, abs(dy) - radius), np.maximum(abs(dy) - bar, abs(dx) - radius))
    return np.clip(.5 - distance, 0, 1)


def cell_center(cell: int) -> tuple[float, float]:
    return (cell % 3 + .5) * CELL_SIZE, (cell // 3 + .5) * CELL_SIZE


def render(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """One picture of the scene, (SIZE, SIZE, 3) in [0, 1]; place, size and brightness vary within the cell."""
    picture = plain(scene.background, rng)
    for o in scene.objects:
        look = Look.random(rng)
        x, y = cell_center(o.cell)
        look.draw(picture, o, x, y)
    return np.clip(picture, 0, 1)


def plain(background: int, rng: np.random.Generator) -> np.ndarray:
    """An empty picture, (SIZE, SIZE, 3), a little lighter or darker towards the bottom."""
    return BACKGROUND_RGB[background] + (rng.uniform(-.05, .05) * (_PIXEL_Y / SIZE)[..., None]).astype(np.float32)


@dataclass(frozen=True)
class Look:
    """What a caption leaves open about an object: where exactly, how large and how bright it is."""
    dx: float
    dy: float
    radius: float
    brightness: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Look":
        return cls(*rng.uniform(-JITTER, JITTER, 2), rng.uniform(*RADIUS), rng.uniform(.9, 1.))

    def draw(self, picture: np.ndarray, o: Object, x: float, y: float) -> None:
        """Paint the object over the picture in place, its cell's centre being at (x, y)."""
        mask = shape_mask(o.shape, x + self.dx, y + self.dy, self.radius)[..., None]
        picture += (COLOR_RGB[o.color] * self.brightness - picture) * mask


def shrink(picture: np.ndarray, factor: int = 2) -> np.ndarray:
    """A picture (S, S, ...) at a whole fraction of its size, each pixel the mean of those that it covers."""
    side = len(picture) // factor
    return picture.reshape(side, factor, side, factor, *picture.shape[2:]).mean((1, 3))


def batch(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Training pairs: pictures (size, 3, SIZE, SIZE) in [-1, 1] and embeddings (size, TOKENS, CHANNELS)."""
    scenes = [random_scene(rng) for _ in range(size)]
    pictures = np.stack([render(scene, rng) for scene in scenes]).transpose(0, 3, 1, 2) * 2 - 1
    return pictures, np.stack([embed(scene) for scene in scenes])
