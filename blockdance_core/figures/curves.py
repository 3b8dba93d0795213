"""Curves: the spectra of two pictures (Delta-DiT, Figure 5), and a training of BlockDance-Ada, batch by batch."""

from typing import Sequence

import torch
from PIL import Image, ImageDraw

from ..ada.training import Progress
from .canvas import GAP, SMALL, Theme, below, levels, sheet, text_width, ticks, write

SPECTRA = "Outline and detail of two pictures"
_SIZE = 760, 300
_COLORS = "#4f8fe0", "#f0a830"

TRAINING = "Training of BlockDance-Ada"
CAPTION = ("Mean of each batch, smoothed; dots are the greedy policy on captions that it is not trained on. R = C + "
           "lambda * Q.")
_WIDTH, _HEIGHT, _LEFT = 640, 150, 60  # of a training's charts
_TRAINED, _VALIDATED = "#4f8fe0", "#f0a830"
_SMOOTH = .8  # share of the curve so far in its next value

Curve = Sequence[float]


def spectra(a: torch.Tensor, b: torch.Tensor, theme: Theme) -> Image.Image:
    """Two radial spectra, (n,) and (m,), on one scale, and their difference where they have the same length."""
    charts = [_spectrum_chart({"a": a, "b": b}, "relative log magnitude", _SIZE, theme)]
    if len(a) == len(b):
        charts.append(_spectrum_chart({"b - a": b - a}, "difference", (_SIZE[0], _SIZE[1] // 2), theme))
    caption = ("Mean relative log magnitude by frequency, from 0 (the whole picture) to pi (single pixels). Left is "
               "outline, right is detail; where b lies below a, it has lost some.")
    return sheet(SPECTRA, caption, below(charts, theme), theme)


def _spectrum_chart(curves: dict[str, torch.Tensor], label: str, size: tuple[int, int], theme: Theme) -> Image.Image:
    values = torch.cat(list(curves.values()))
    grid = levels(min(0., float(values.min())), max(0., float(values.max())), size[1] // 50)
    low, high = grid[0], grid[-1]
    left, top, (width, height) = 56, SMALL + 12, size
    image = Image.new("RGB", (left + width + 16, top + height + 2 * SMALL + 16), theme.background)
    draw = ImageDraw.Draw(image)
    for level in grid:
        y = top + height * (high - level) / (high - low)
        draw.line((left, y, left + width, y), theme.faint if level else theme.text)
        write(image, (left - 6, y), f"{level:g}", theme, anchor="rm")
    for part, name in zip((0, .25, .5, .75, 1), ("0", "0.25 pi", "0.5 pi", "0.75 pi", "pi")):
        write(image, (left + width * part, top + height + 5), name, theme, anchor="ma")
    write(image, (left + width / 2, top + height + SMALL + 10), "frequency", theme, anchor="ma")
    write(image, (0, 0), label, theme)
    x = left + width
    for color, (name, curve) in zip(_COLORS, curves.items()):
        across = torch.linspace(left, left + width, len(curve)).tolist()
        up = (top + height * (high - curve) / (high - low)).tolist()
        draw.line(list(zip(across, up)), color, 2)
    for color, name in reversed(list(zip(_COLORS, curves))):
        x -= text_width(name) + 34
        draw.line((x, SMALL // 2 + 1, x + 20, SMALL // 2 + 1), color, 3)
        write(image, (x + 26, 0), name, theme)
    return image


def learning(trained: dict[str, Curve], validated: dict[str, Sequence[tuple[int, float]]], theme: Theme) -> Image.Image:
    """One chart for each name of `trained`, whose values are one a batch; validations have their batch."""
    charts = [_training_chart(name, values, validated.get(name, ()), theme) for name, values in trained.items()]
    return sheet(TRAINING, CAPTION, below(charts, theme), theme)


def of_progress(progress: Progress, theme: Theme) -> Image.Image:
    """The curves of a training, as far as it is."""
    names = {"saving": "saving C", "quality": "quality Q", "reward": "reward R"}
    return learning({name: [getattr(score, key) for score in progress.scores] for key, name in names.items()},
                    {name: [(batches, getattr(score, key)) for batches, score in progress.validations]
                     for key, name in names.items()}, theme)


def _training_chart(name: str, values: Curve, dots: Sequence[tuple[int, float]], theme: Theme) -> Image.Image:
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
