"""Quality against time, for settings that were tried: the fastest of equal quality are joined by a line."""

import math
from dataclasses import dataclass
from typing import Sequence

from PIL import Image, ImageDraw

from .canvas import GAP, SMALL, Theme, below, levels, sheet, text_width, write

TITLE = "Quality against time"
_WIDTH, _HEIGHT, _LEFT, _RADIUS = 760, 380, 70, 4
_BAND = 28  # above the scale, for pictures that equal the reference
_FRONT, _OTHER = "#f0a830", "#4f8fe0"


@dataclass(frozen=True)
class Point:
    label: str
    seconds: float
    speedup: float
    psnr: float  # dB; infinite where the picture equals the reference, not a number where it was not comparable
    front: bool  # nothing is both faster and closer


def pareto(points: Sequence[Point], reference: Point, caption: str, theme: Theme) -> Image.Image:
    """The chart, and below it a line for each point. Pictures that equal the reference are above the scale."""
    parts = [_chart(points, reference, theme), _key(points, reference, theme)]
    return sheet(TITLE, caption, below(parts, theme), theme)


def _chart(points: Sequence[Point], reference: Point, theme: Theme) -> Image.Image:
    shown = [point for point in points if not math.isnan(point.psnr)]
    drawn = [point.psnr for point in shown if math.isfinite(point.psnr)]
    finite = drawn or [0.]
    across = levels(0., max(point.seconds for point in (*points, reference)), _WIDTH // 90)
    up = levels(min(finite), max(*finite, min(finite) + 1.), _HEIGHT // 50)  # narrower, its numbers look alike
    equal = SMALL + 2 * GAP
    top = equal + _BAND
    bottom = top + _HEIGHT
    image = Image.new("RGB", (_LEFT + _WIDTH + 40, bottom + 2 * SMALL + 16), theme.background)
    draw = ImageDraw.Draw(image)

    def place(seconds: float, psnr: float) -> tuple[float, float]:
        y = top + _HEIGHT * (up[-1] - psnr) / (up[-1] - up[0]) if math.isfinite(psnr) else equal
        return _LEFT + _WIDTH * seconds / across[-1], y

    for level in (*(up if drawn else ()), math.inf):
        _, y = place(0., level)
        draw.line((_LEFT, y, _LEFT + _WIDTH, y), theme.faint)
        write(image, (_LEFT - 6, y), f"{level:g}" if math.isfinite(level) else "identical", theme, anchor="rm")
    for level in across:
        x, _ = place(level, 0.)
        draw.line((x, top, x, bottom), theme.faint)
        write(image, (x, bottom + 5), f"{level:g}", theme, anchor="ma")
    write(image, (0, 0), "PSNR in dB", theme)
    write(image, (_LEFT + _WIDTH / 2, bottom + SMALL + 10), "sampling time in seconds", theme, anchor="ma")
    x, _ = place(reference.seconds, 0.)
    draw.line((x, equal, x, bottom), theme.text)
    side, anchor = (-6, "rd") if x > _LEFT + _WIDTH / 2 else (6, "ld")
    write(image, (x + side, bottom - 4), reference.label, theme, anchor=anchor)
    front = sorted((place(point.seconds, point.psnr) for point in shown if point.front))
    draw.line(front, _FRONT, 2)
    if not drawn:
        write(image, (_LEFT + _WIDTH / 2, top + _HEIGHT / 2), _nothing(points), theme, anchor="mm")
    numbers: list[tuple[float, float]] = []
    for number, point in enumerate(points, 1):
        if point in shown:
            x, y = place(point.seconds, point.psnr)
            draw.ellipse((x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS), _FRONT if point.front else _OTHER)
            numbers.append(_free(x, y, numbers))
            write(image, numbers[-1], str(number), theme, anchor="mm")
    return image


def _nothing(points: Sequence[Point]) -> str:
    """Why the scale has no points."""
    equal = sum(math.isinf(point.psnr) for point in points)
    if equal == len(points):
        return "all pictures are identical to the reference's"
    if not equal:
        return "no picture can be compared with the reference's"
    return "each picture is identical to the reference's or cannot be compared with it"


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """A place for a point's number beside it that no other number has; the first where there is none."""
    places = [(x + right, y + down) for right, down in ((12, 9), (-12, -9), (12, -9), (-12, 9), (0, 16), (0, -16))]
    return next((place for place in places if all(
        abs(place[0] - other[0]) > 15 or abs(place[1] - other[1]) > SMALL for other in taken)), places[0])


def _key(points: Sequence[Point], reference: Point, theme: Theme) -> Image.Image:
    rows = [("", reference.label, f"{reference.seconds:.2f} s", f"{reference.speedup:.2f}x", "")]
    for number, point in enumerate(points, 1):
        quality = ("not comparable" if math.isnan(point.psnr) else "identical" if math.isinf(point.psnr)
                   else f"{point.psnr:.1f} dB")
        rows.append((str(number), point.label, f"{point.seconds:.2f} s", f"{point.speedup:.2f}x", quality))
    widths = [max(map(text_width, column)) for column in zip(*rows)]
    line = SMALL + 7
    image = Image.new("RGB", (sum(widths) + GAP * (len(widths) + 1), line * len(rows)), theme.background)
    draw = ImageDraw.Draw(image)
    for index, (row, front) in enumerate(zip(rows, (False, *(point.front for point in points)))):
        left = GAP
        if row[0]:
            y = line * index + line / 2
            draw.ellipse((0, y - _RADIUS, 2 * _RADIUS, y + _RADIUS), _FRONT if front else _OTHER)
        for word, width in zip(row, widths):
            write(image, (left, line * index + 3), word, theme)
            left += width + GAP
    return image
