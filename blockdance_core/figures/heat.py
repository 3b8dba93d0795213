"""A table of numbers as a heat map: columns from left to right, rows from top to bottom, with a scale."""

import torch
from PIL import Image, ImageDraw

from .canvas import GAP, NORMAL, SMALL, Theme, text_width, ticks, upright, write

# Five points of the viridis color map, dark for low values; even in grey and for color-blind eyes
_SCALE = torch.tensor([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]) / 255.
_BAR = 14


def colors(values: torch.Tensor, low: float, high: float, missing: tuple[int, int, int]) -> torch.Tensor:
    """(...) -> (..., 3) uint8; NaN takes the color `missing`."""
    place = ((values - low) / max(high - low, 1e-12)).clamp(0, 1).nan_to_num(0) * (len(_SCALE) - 1)
    left = place.long().clamp(max=len(_SCALE) - 2)
    mixed = torch.lerp(_SCALE[left], _SCALE[left + 1], (place - left)[..., None])
    mixed[values.isnan()] = torch.tensor(missing) / 255.
    return (mixed * 255).round().byte()


def heat_map(title: str, values: torch.Tensor, theme: Theme, low: float, high: float, x_label: str, y_label: str,
             size: tuple[int, int] = (440, 330), mark: int | None = None) -> Image.Image:
    """A map of (rows, columns) of about this size, in cells of whole pixels; `mark` frames a row."""
    rows, columns = values.shape
    cell = max(1, size[0] // columns), max(1, size[1] // rows)
    width, height = cell[0] * columns, cell[1] * rows
    labels = [f"{low + (high - low) * part:.4f}".rstrip("0").rstrip(".") for part in (0, .5, 1)]
    left, top = SMALL + 6 + text_width("000") + 8, NORMAL + 14
    right = left + width + GAP + _BAR + 6 + max(map(text_width, labels))
    image = Image.new("RGB", (max(right, left + text_width(title, NORMAL)), top + height + 2 * (SMALL + 6)),
                      theme.background)
    draw = ImageDraw.Draw(image)
    write(image, (left, 0), title, theme, NORMAL)
    missing = Image.new("RGB", (1, 1), theme.faint).getpixel((0, 0))
    pixels = Image.fromarray(colors(values, low, high, missing).numpy())
    image.paste(pixels.resize((width, height), Image.Resampling.NEAREST), (left, top))
    axes(image, theme, (left, top), cell, (columns, rows), x_label, y_label)
    if mark is not None:
        draw.rectangle((left - 2, top + mark * cell[1] - 2, left + width + 1, top + (mark + 1) * cell[1] + 1),
                       outline=theme.text, width=2)
    bar = left + width + GAP
    scale = torch.linspace(high, low, height)[:, None].expand(height, _BAR)
    image.paste(Image.fromarray(colors(scale, low, high, missing).numpy()), (bar, top))
    for label, place in zip(labels, (height - 1, height // 2, 0)):
        write(image, (bar + _BAR + 6, top + place), label, theme, anchor="lm")
    return image


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
