"""What a run has executed, as a map of evaluations x blocks with the time of each evaluation above; as a strip of
evaluations where each was computed or left out as a whole."""

from enum import Enum
from itertools import accumulate

from PIL import Image, ImageDraw

from ..engine.report import Evaluation, Report
from ..plan.plan import Kind, SkipModel
from .canvas import GAP, SMALL, Theme, axes, sheet, text_width, write

_WIDTH, _HEIGHT, _STRIP, _BARS = 900, 420, 40, 80  # of the map, and of the times above it, in pixels
_TIME = "#8b97a8"
_MOST_STACKS = 4


class Cell(Enum):
    """What became of one block in one evaluation: its label and its color."""
    COMPUTED = "computed", "#4a72ad"
    STORED = "computed, kept for later", "#f0a830"
    FEATURE = "reused", "#35b18b"
    DELTA = "change reused", "#bd6fd6"
    OUTPUT = "forecast", "#5cc8e0"
    PARTLY = "partly reused", "#a7c957"

    @property
    def label(self) -> str:
        return self.value[0]

    @property
    def color(self) -> str:
        return self.value[1]


_REUSED = {Kind.FEATURE: Cell.FEATURE, Kind.DELTA: Cell.DELTA}


def cells(evaluation: Evaluation, depth: int) -> list[Cell]:
    """One per block. What is kept is marked where it is a part of the blocks: of the others all is, all the time."""
    found = [Cell.COMPUTED] * depth
    for reuse in evaluation.stored:
        if len(reuse.span) < depth:
            found[reuse.span.last] = Cell.STORED
    if evaluation.reuse is not None and evaluation.executed < evaluation.total:
        skipped = isinstance(evaluation.reuse, SkipModel)
        reused = Cell.PARTLY if evaluation.misses else Cell.OUTPUT if skipped else _REUSED[evaluation.reuse.kind]
        for block in evaluation.reuse.span:
            found[block] = reused
    return found


def run_map(report: Report, theme: Theme) -> Image.Image:
    """The picture of a finished run, about 1000 x 700."""
    table = [cells(evaluation, report.transformer.depth) for evaluation in report.evaluations]
    caption = "; ".join(filter(None, (report.line(), report.savings())))
    stacks = report.transformer.stacks
    if all(len(set(column)) == 1 for column in table):
        table, stacks = [column[:1] for column in table], (1,)
    return sheet(f"{report.method} on {report.transformer.name}", caption, _map(report, table, stacks, theme), theme)


def _map(report: Report, table: list[list[Cell]], stacks: tuple[int, ...], theme: Theme) -> Image.Image:
    depth, count = sum(stacks), max(1, len(table))
    cell = max(3, min(40, _WIDTH // count)), _STRIP if depth == 1 else max(4, _HEIGHT // depth)
    legend = [kind for kind in Cell if any(kind in column for column in table)]
    slowest = max((evaluation.seconds for evaluation in report.evaluations), default=0)
    scale = f"{slowest * 1000:.0f} ms"
    left, top = max(SMALL + 6 + text_width("000") + 8, text_width(scale) + 8), _BARS + GAP
    width, height = cell[0] * count, cell[1] * depth
    key = sum(text_width(kind.label) + 44 for kind in legend)
    image = Image.new("RGB", (max(left + width, left + key), top + height + 3 * SMALL + 24 + GAP), theme.background)
    draw = ImageDraw.Draw(image)
    inset = 1 if cell[0] > 5 else 0
    for column, (evaluation, kinds) in enumerate(zip(report.evaluations, table)):
        x = left + column * cell[0]
        tall = round(evaluation.seconds / slowest * _BARS) if slowest else 0
        draw.rectangle((x, _BARS - tall, x + cell[0] - 1 - inset, _BARS), fill=_TIME)
        for block, kind in enumerate(kinds):
            y = top + block * cell[1]
            draw.rectangle((x, y, x + cell[0] - 1 - inset, y + cell[1] - 2), fill=kind.color)
    draw.line((left, _BARS + 1, left + width, _BARS + 1), theme.faint)
    write(image, (left - 6, 0), scale, theme, anchor="ra")
    write(image, (left - 6, SMALL + 6), "time", theme, anchor="ra")
    write(image, (left - 6, _BARS), "0", theme, anchor="rm")
    axes(image, theme, (left, top), cell, (len(table), depth), "evaluation", "block" if depth > 1 else "")
    for border in _borders(stacks):
        draw.line((left - 4, top + border * cell[1] - 1, left + width, top + border * cell[1] - 1), theme.text)
    x, y = left, top + height + 2 * SMALL + 24
    for kind in legend:
        draw.rectangle((x, y, x + SMALL, y + SMALL), fill=kind.color)
        write(image, (x + SMALL + 6, y - 2), kind.label, theme)
        x += text_width(kind.label) + 44
    return image


def _borders(stacks: tuple[int, ...]) -> list[int]:
    """The first block of each stack but the first; none for a U-Net, which has too many to draw."""
    return list(accumulate(stacks[:-1])) if len(stacks) <= _MOST_STACKS else []
