"""Quality against what it costs: a curve per method, a point per setting of its knob."""

import colorsys
from types import MappingProxyType
from typing import Callable, Mapping, Sequence

from PIL import Image, ImageDraw

from ...blockdance_core.figures.canvas import (
    GAP,
    SMALL,
    Color,
    Theme,
    below,
    beside,
    font,
    levels,
    sheet,
    upright,
    write,
)
from .row import BASELINE, Row

_SIZE = 820, 470
_GOLDEN = .618034  # of the circle of hues: multiples of it never come near each other
_OURS = ("Auto", "BlockDance", "Delta", "Ada")
Axis = Callable[[Row], float]
Points = list[tuple[float, float]]
Curves = dict[str, Points]


def pareto(table: Sequence[Row], title: str, caption: str, on_cpu: bool, theme: Theme) -> Image.Image:
    """PSNR against the fractions of MACs and of seconds, one above the other.

    Measured on a CPU, seconds are those of computing, which other programs on the machine hardly change.
    """
    colors = palette([row.method for row in table])
    seconds = ((lambda row: row.cpu, "processor seconds") if on_cpu else (lambda row: row.seconds, "seconds"))
    charts = [_chart(curves(table, axis), colors, f"{label}, as a fraction of full sampling", theme)
              for axis, label in ((lambda row: row.macs, "multiply-accumulates"), seconds)]
    return sheet(title, caption, beside([below(charts, theme), _legend(colors, theme)], theme, 2 * GAP), theme)


def comparison(found: Curves, intervals: Curves, label: str, title: str, caption: str, theme: Theme) -> Image.Image:
    """Curves of methods on one axis, and for each the (x, low), (x, high) of its points one after the other."""
    colors = palette(list(found))
    first = levels(min(x for points in found.values() for x, _ in points), 1., 10)[0]
    chart = _chart(found, colors, label, theme, intervals, first)
    return sheet(title, caption, beside([chart, _legend(colors, theme)], theme, 2 * GAP), theme)


def curves(table: Sequence[Row], axis: Axis) -> Curves:
    """The points of each method from cheap to dear, without those that sometimes equal full sampling, to the bit."""
    found: Curves = {}
    for row in table:
        if row.psnr and not row.equal:
            found.setdefault(row.method, []).append((axis(row), row.psnr.mean))
    return {method: sorted(points) for method, points in found.items()}


def palette(methods: Sequence[str]) -> dict[str, Color | None]:
    """A color for each, neighbours far apart; None, which is the color of text, for the baseline."""
    colors: dict[str, Color | None] = dict.fromkeys(methods)
    for place, method in enumerate(method for method in colors if method != BASELINE):
        red, green, blue = colorsys.hsv_to_rgb(place * _GOLDEN % 1, (.9, .6)[place % 2], (.9, .65, .8)[place % 3])
        colors[method] = round(255 * red), round(255 * green), round(255 * blue)
    return colors


def _chart(found: Curves, colors: dict[str, Color | None], label: str, theme: Theme,
           intervals: Mapping[str, Points] = MappingProxyType({}), first: float = 0.) -> Image.Image:
    """From `first` on the horizontal axis."""
    heights = [y for points in (*found.values(), *intervals.values()) for _, y in points] or [0., 1.]
    grid = levels(min(heights), max(heights), 9)
    low, high, right = grid[0], grid[-1], max([1., *(x for points in found.values() for x, _ in points)])
    left, top, (width, height) = 58, SMALL, _SIZE
    image = Image.new("RGB", (left + width + GAP, top + height + 2 * SMALL + 18), theme.background)
    draw = ImageDraw.Draw(image)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + width * (x - first) / (right - first), top + height * (high - y) / (high - low)
    for level in grid:
        draw.line((place(first, level), place(right, level)), theme.faint)
        write(image, (left - 6, place(first, level)[1]), f"{level:g}", theme, anchor="rm")
    for level in levels(first, right, 10):
        if first <= level <= right:
            draw.line((place(level, low), place(level, high)), theme.faint)
            write(image, (place(level, low)[0], top + height + 5), f"{level:g}", theme, anchor="ma")
    write(image, (left + width / 2, top + height + SMALL + 10), label, theme, anchor="ma")
    name = upright("PSNR against full sampling, dB", theme)
    image.paste(name, (0, top + (height - name.height) // 2))
    for method, points in found.items():
        ends = intervals.get(method, [])
        for low_end, high_end in zip(ends[::2], ends[1::2]):
            draw.line((place(*low_end), place(*high_end)), colors[method] or theme.text, 2)
        _line(draw, [place(*point) for point in points], method, colors[method] or theme.text)
    return image


def _line(draw: ImageDraw.ImageDraw, places: list[tuple[float, float]], method: str, color: Color) -> None:
    """Ours with squares, the others with dots; thick what the eye is to find first."""
    ours = method.startswith(_OURS)
    draw.line(places, color, 3 if ours or method == BASELINE else 1)
    for x, y in places:
        box = x - 4, y - 4, x + 4, y + 4
        (draw.rectangle if ours else draw.ellipse)(box, color)


def _legend(colors: dict[str, Color | None], theme: Theme) -> Image.Image:
    line = SMALL + 9
    width = 40 + max(round(font(SMALL).getlength(method)) for method in colors)
    image = Image.new("RGB", (width, GAP + line * len(colors)), theme.background)
    for number, (method, color) in enumerate(colors.items()):
        y = GAP + line * number + SMALL // 2
        _line(ImageDraw.Draw(image), [(4, y), (24, y)], method, color or theme.text)
        write(image, (34, y), method, theme, anchor="lm")
    return image
