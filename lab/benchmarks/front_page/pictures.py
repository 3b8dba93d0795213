"""The two pictures of the README, anew: the chart of quality against speed, and pictures before and after.

    python3 -m lab.benchmarks.front_page

The chart is of docs/internals/benchmarks.csv, of the models that draw emoji. The pictures are an excerpt of the last
`python3 -m demo`, and stay as they are where there is none.
"""

import argparse
import shutil
import sys
from pathlib import Path
from statistics import fmean

from PIL import Image, ImageDraw, ImageFont

from ....blockdance_core.closeness import ALIKE_FROM, DETAILS_FROM, Closeness
from .. import published
from ..document import CSV, DOCS
from ..setting import PICTURES

ROOT = Path(__file__).resolve().parents[3]
CHART, PICTURE = ROOT / "docs" / "quality.png", ROOT / "docs" / "before-after.jpg"
SHOWN = {"Auto": "#1667d9", "Auto, calibrated": "#60a5fa", "MeanCache": "#c2410c", "L2P": "#7c3aed",
         "DPCache": "#0f766e", "EasyCache": "#b45309", "TeaCache": "#be185d", "TaylorSeer order 1": "#a16207",
         "fewer steps": "#52525b"}
OURS = "Auto"
FASTEST = 4.  # where the chart ends
WORDS = (  # from so many dB on, the ground, and the corner of its part of the chart where no line is
    (ALIKE_FROM, str(Closeness.ALIKE), "#eaf6ec", "upper right"),
    (DETAILS_FROM, str(Closeness.DETAILS), "#f7f7f2", "upper right"),
    (0., str(Closeness.COMPOSITION), "#fbeeec", "upper left"))
SCALE = 2  # drawn so much larger, for smooth lines
Curves = dict[str, list[tuple[float, float]]]  # method: (times faster, PSNR in dB), slow to fast


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m lab.benchmarks.front_page", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=ROOT / "demo-output", metavar="FOLDER", help="of the demo's files")
    excerpt = parser.parse_args().demo / "excerpt.jpg"
    found, of = curves()
    chart(found, of).save(CHART, optimize=True)
    print(f"{CHART.relative_to(ROOT)}: {of}")
    if excerpt.exists():
        shutil.copyfile(excerpt, PICTURE)
        print(PICTURE.relative_to(ROOT))
    else:
        print(f"no {excerpt}: {PICTURE.relative_to(ROOT)} stays as it is; python3 -m demo makes one")
    return 0


def curves() -> tuple[Curves, str]:
    """The mean over models, and what it is of, in words."""
    tables = [table for table in published.read(DOCS / CSV) if table.setting == PICTURES]
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for table in tables:
        for row in table.rows:
            if row.psnr:
                points.setdefault((row.method, row.point), []).append((1 / row.macs, row.psnr.mean))
    found: Curves = {}
    for (method, _), of_models in points.items():
        if len(of_models) == len(tables):
            found.setdefault(method, []).append((fmean(x for x, _ in of_models), fmean(y for _, y in of_models)))
    samples = max(row.samples for table in tables for row in table.rows)
    models = "one small model" if len(tables) == 1 else f"mean of {len(tables)} small models"
    return {method: sorted(line) for method, line in found.items()}, f"{models}, {samples} captions"


def chart(found: Curves, of: str) -> Image.Image:
    """Higher is closer to the full picture, further right is faster."""
    shown = {method: [point for point in found[method] if point[0] <= FASTEST + .1]
             for method in SHOWN if method in found}
    width, height, left, top, right, bottom = 900, 470, 66, 62, 170, 58
    low = 5 * (min(y for line in shown.values() for _, y in line) // 5)
    high = 5 * (max(y for line in shown.values() for _, y in line) // 5 + 1)
    image = Image.new("RGB", (width * SCALE, height * SCALE), "white")
    draw = ImageDraw.Draw(image)

    def place(x: float, y: float) -> tuple[float, float]:
        return (SCALE * (left + (width - left - right) * (x - 1) / (FASTEST - 1)),
                SCALE * (top + (height - top - bottom) * (high - y) / (high - low)))

    def write(at: tuple[float, float], words: str, size: int, color: str = "#18181b", anchor: str = "mm") -> None:
        draw.text(at, words, color, ImageFont.load_default(size * SCALE), anchor)
    upper = high
    for border, words, ground, corner in WORDS:
        lower = max(border, low)
        if upper > lower:
            (x0, y0), (x1, y1) = place(1, upper), place(FASTEST, lower)
            draw.rectangle((x0, y0, x1, y1), ground)
            at_right, at_top = "right" in corner, "upper" in corner
            write((x1 - 8 * SCALE if at_right else x0 + 8 * SCALE, y0 + 12 * SCALE if at_top else y1 - 12 * SCALE),
                  words, 13, "#71717a", "rm" if at_right else "lm")
        upper = min(high, border)
    for times in (1, 1.5, 2, 2.5, 3, 3.5, 4):
        draw.line((place(times, low), place(times, high)), "#e4e4e7", SCALE)
        write((place(times, low)[0], place(times, low)[1] + 16 * SCALE), f"{times:g}x", 14)
    for level in range(int(low) + int(low) % 10, int(high) + 1, 10):
        write((place(1, level)[0] - 10 * SCALE, place(1, level)[1]), f"{level} dB", 14, anchor="rm")
    labels = _apart({method: place(*line[-1])[1] for method, line in shown.items()}, 19 * SCALE)
    for method, line in sorted(shown.items(), key=lambda entry: entry[0] == OURS):
        color, places = SHOWN[method], [place(*point) for point in line]
        draw.line(places, color, (4 if method == OURS else 2) * SCALE, "curve")
        for x, y in places:
            radius = (5 if method == OURS else 3) * SCALE
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), color)
        end = SCALE * (width - right + 16), labels[method]
        draw.line((places[-1], (end[0] - 6 * SCALE, end[1])), color, 1)
        write(end, "BlockDance Auto" if method == OURS else method, 15, color, "lm")
    write((left * SCALE, 22 * SCALE), "How close to the full picture, for how much less computing", 18, anchor="lm")
    write((left * SCALE, 44 * SCALE), f"Higher and further right is better. Measured: {of}.", 13, "#52525b", "lm")
    write((place((1 + FASTEST) / 2, 0)[0], (height - 14) * SCALE), "times less computing than the full run", 14)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _apart(heights: dict[str, float], least: float) -> dict[str, float]:
    """The same in their order, moved down where two would be less than this apart."""
    found: dict[str, float] = {}
    for method, height in sorted(heights.items(), key=lambda entry: entry[1]):
        found[method] = max([height, *(other + least for other in found.values())])
    return found


if __name__ == "__main__":
    sys.exit(main())
