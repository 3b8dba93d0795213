"""What all figures share: two themes, a font, scales and tick marks, and the way into and out of Pillow."""

import math
from dataclasses import dataclass
from typing import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

Color = str | tuple[int, int, int]

SMALL, NORMAL, LARGE = 13, 15, 19  # heights of text in pixels
GAP = 14  # between the parts of a figure


@dataclass(frozen=True)
class Theme:
    background: Color
    text: Color
    faint: Color  # grids, frames, and cells without a value


THEMES = {"dark": Theme("#1c1d21", "#e8e8ea", "#3a3c43"), "light": Theme("#ffffff", "#1b1c1f", "#d5d7dc")}


def font(size: int) -> ImageFont.ImageFont:
    return ImageFont.load_default(size)


def text_width(text: str, size: int = SMALL) -> int:
    return round(font(size).getlength(text))


def write(image: Image.Image, place: tuple[float, float], text: str, theme: Theme, size: int = SMALL,
          anchor: str = "la") -> None:
    """Text at a place; `anchor` as Pillow has it: horizontally l, m, r, vertically a(scender), m, d(escender)."""
    ImageDraw.Draw(image).text(place, text, theme.text, font(size), anchor)


def wrap(text: str, width: int, size: int = SMALL) -> list[str]:
    """The text in lines of at most this many pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def upright(text: str, theme: Theme, size: int = SMALL) -> Image.Image:
    """Text that reads from bottom to top, for a vertical axis."""
    image = Image.new("RGB", (text_width(text, size) + 2, size + 6), theme.background)
    write(image, (1, 1), text, theme, size)
    return image.rotate(90, expand=True)


def ticks(count: int, cell: float, apart: int = 34) -> range:
    """Which of `count` cells of this many pixels to number, at least `apart` pixels from each other."""
    step = next(step for power in range(9) for step in (10 ** power, 2 * 10 ** power, 5 * 10 ** power)
                if step * cell >= apart)
    return range(0, count, step)


def levels(low: float, high: float, most: int) -> list[float]:
    """Round numbers in equal distances from at or below `low` to at or above `high`, about `most` of them."""
    rough = max(high - low, 1e-6) / max(1, most)
    power = 10. ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
    return [round(i * step, 9) for i in range(math.floor(low / step), math.ceil(max(high, low + step) / step) + 1)]


def axes(image: Image.Image, theme: Theme, corner: tuple[int, int], cell: tuple[int, int], count: tuple[int, int],
         x_label: str, y_label: str) -> None:
    """Numbers of columns below and of rows beside a map with this upper left corner, and what they number; none of
    rows that have no label."""
    (left, top), (width, height) = corner, (cell[0] * count[0], cell[1] * count[1])
    for column in ticks(count[0], cell[0]):
        write(image, (left + (column + .5) * cell[0], top + height + 4), str(column), theme, anchor="ma")
    for row in ticks(count[1] if y_label else 0, cell[1], apart=SMALL + 6):
        write(image, (left - 6, top + (row + .5) * cell[1]), str(row), theme, anchor="rm")
    write(image, (left + width / 2, top + height + SMALL + 8), x_label, theme, anchor="ma")
    if y_label:
        label = upright(y_label, theme)
        image.paste(label, (0, max(0, round(top + height / 2 - label.height / 2))))


def beside(images: Sequence[Image.Image], theme: Theme, gap: int = GAP) -> Image.Image:
    """From left to right, tops aligned."""
    width = sum(image.width for image in images) + gap * (len(images) - 1)
    result = Image.new("RGB", (width, max(image.height for image in images)), theme.background)
    left = 0
    for image in images:
        result.paste(image, (left, 0))
        left += image.width + gap
    return result


def below(images: Sequence[Image.Image], theme: Theme, gap: int = GAP) -> Image.Image:
    """From top to bottom, left sides aligned."""
    height = sum(image.height for image in images) + gap * (len(images) - 1)
    result = Image.new("RGB", (max(image.width for image in images), height), theme.background)
    top = 0
    for image in images:
        result.paste(image, (0, top))
        top += image.height + gap
    return result


def sheet(title: str, caption: str, content: Image.Image, theme: Theme) -> Image.Image:
    """A whole figure: title, explaining lines, content, and a margin around them."""
    width = max(content.width, text_width(title, LARGE), 560)
    lines = wrap(caption, width)
    top = GAP + LARGE + 10 + (SMALL + 5) * len(lines) + GAP
    image = Image.new("RGB", (width + 2 * GAP, top + content.height + GAP), theme.background)
    write(image, (GAP, GAP), title, theme, LARGE)
    for number, line in enumerate(lines):
        write(image, (GAP, GAP + LARGE + 10 + (SMALL + 5) * number), line, theme)
    image.paste(content, (GAP, top))
    return image


def message(title: str, text: str, theme: Theme) -> Image.Image:
    """The figure where there is nothing to draw: it says why."""
    return sheet(title, text, Image.new("RGB", (1, 1), theme.background), theme)


def to_tensor(image: Image.Image) -> torch.Tensor:
    """A ComfyUI IMAGE, (1, H, W, 3) in [0, 1]."""
    return torch.from_numpy(np.asarray(image.convert("RGB"), np.float32) / 255).unsqueeze(0)
