"""A training as curves: what policies save, how good their pictures are, and the reward of both, batch by batch."""

from typing import Sequence

from PIL import Image, ImageDraw

from ..ada.training import Progress
from .canvas import GAP, SMALL, Theme, below, sheet, ticks, write
from .curves import levels

TITLE = "Training of BlockDance-Ada"
CAPTION = ("Mean of each batch, smoothed; dots are the greedy policy on captions that it is not trained on. R = C + "
           "lambda * Q.")
_WIDTH, _HEIGHT, _LEFT = 640, 150, 60
_TRAINED, _VALIDATED = "#4f8fe0", "#f0a830"
_SMOOTH = .8  # share of the curve so far in its next value

Curve = Sequence[float]


def learning(trained: dict[str, Curve], validated: dict[str, Sequence[tuple[int, float]]], theme: Theme) -> Image.Image:
    """One chart for each name of `trained`, whose values are one a batch; validations have their batch."""
    charts = [_chart(name, values, validated.get(name, ()), theme) for name, values in trained.items()]
    return sheet(TITLE, CAPTION, below(charts, theme), theme)


def of_progress(progress: Progress, theme: Theme) -> Image.Image:
    """The curves of a training, as far as it is."""
    names = {"saving": "saving C", "quality": "quality Q", "reward": "reward R"}
    return learning({name: [getattr(score, key) for score in progress.scores] for key, name in names.items()},
                    {name: [(batches, getattr(score, key)) for batches, score in progress.validations]
                     for key, name in names.items()}, theme)


def _chart(name: str, values: Curve, dots: Sequence[tuple[int, float]], theme: Theme) -> Image.Image:
    shown = _smooth(values)
    everything = [*shown, *(value for _, value in dots)]
    up = levels(min(everything), max(everything) + 1e-9, _HEIGHT // 40)
    top, bottom = SMALL + GAP, SMALL + GAP + _HEIGHT
    image = Image.new("RGB", (_LEFT + _WIDTH + 2 * GAP, bottom + SMALL + 10), theme.background)
    draw = ImageDraw.Draw(image)

    def place(batch: float, value: float) -> tuple[float, float]:
        return (_LEFT + _WIDTH * batch / max(1, len(values)),
                top + _HEIGHT * (up[-1] - value) / (up[-1] - up[0]))
    for level in up:
        _, y = place(0, level)
        draw.line((_LEFT, y, _LEFT + _WIDTH, y), theme.faint)
        write(image, (_LEFT - 6, y), f"{level:g}", theme, anchor="rm")
    for batch in ticks(len(values) + 1, _WIDTH / max(1, len(values)), 60):
        write(image, (place(batch, up[0])[0], bottom + 5), str(batch), theme, anchor="ma")
    write(image, (0, 0), name, theme)
    draw.line([place(batch, value) for batch, value in enumerate(shown, 1)], _TRAINED, 2)
    for batch, value in dots:
        x, y = place(batch, value)
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), _VALIDATED)
    return image


def _smooth(values: Curve) -> list[float]:
    """A running mean that forgets."""
    shown: list[float] = []
    for value in values:
        shown.append(value if not shown else _SMOOTH * shown[-1] + (1 - _SMOOTH) * value)
    return shown
