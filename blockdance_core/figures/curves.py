"""Numbers by frequency as curves: the spectra of two pictures (Delta-DiT, Figure 5)."""

import math

import torch
from PIL import Image, ImageDraw

from .canvas import SMALL, Theme, below, sheet, text_width, write

TITLE = "Outline and detail of two pictures"
_SIZE = 760, 300
_COLORS = "#4f8fe0", "#f0a830"


def spectra(a: torch.Tensor, b: torch.Tensor, theme: Theme) -> Image.Image:
    """Two radial spectra, (n,) and (m,), on one scale, and their difference where they have the same length."""
    charts = [_chart({"a": a, "b": b}, "relative log magnitude", _SIZE, theme)]
    if len(a) == len(b):
        charts.append(_chart({"b - a": b - a}, "difference", (_SIZE[0], _SIZE[1] // 2), theme))
    caption = ("Mean relative log magnitude by frequency, from 0 (the whole picture) to pi (single pixels). Left is "
               "outline, right is detail; where b lies below a, it has lost some.")
    return sheet(TITLE, caption, below(charts, theme), theme)


def _chart(curves: dict[str, torch.Tensor], label: str, size: tuple[int, int], theme: Theme) -> Image.Image:
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


def levels(low: float, high: float, most: int) -> list[float]:
    """Round numbers in equal distances from at or below `low` to at or above `high`, about `most` of them."""
    rough = max(high - low, 1e-6) / max(1, most)
    power = 10. ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
    return [round(i * step, 9) for i in range(math.floor(low / step), math.ceil(max(high, low + step) / step) + 1)]
