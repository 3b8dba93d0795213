"""Hyper-parameters of the paper modes, searched on a few calibration captions and reported on others.

Delta-DiT, section 5 (FlashEval's protocol): (b, Nc); BlockDance: (N, block_index, start, end). For the compute of each
paper default, and for less, the settings with the best PSNR are looked for; what they are worth on held-out captions is
what counts.
"""

import math
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Iterable, Iterator

from ...blockdance_core.methods.blockdance import BlockDanceMethod
from ...blockdance_core.methods.delta_dit import DeltaDiTMethod
from ...blockdance_core.methods.method import Method
from . import markdown
from .arm import Arm, method_arm
from .captions import CALIBRATION, MEASURED
from .compare import Contest
from .document import DOCS
from .options import Options
from .row import Row, rows
from .setting import BASE, PICTURES
from .subject import Subject

CALIBRATION_CAPTIONS = 4
INTRODUCTION = """# Settings of the papers' methods, searched

Written by `python3 -m lab.benchmarks --search --publish`; do not edit. For the compute of each paper setting (N = 2
and so on, everything else as published), and for less, the setting that comes closest to full sampling on a few
captions, as Delta-DiT does in its section 5. The table has the quality of both on other captions.

"""
COLUMNS = ("model", "captions", "method", "paper setting", "MACs", "PSNR, dB (95 %)", "objects right", "found", "MACs",
           "PSNR, dB (95 %)", "objects right")
Candidates = dict[str, Method]


def candidates(depth: int) -> Iterator[tuple[str, Candidates, Candidates]]:
    """Per method: its name, its paper settings, and the settings among which to search, for a model of this depth."""
    def named(methods: Iterable[Method]) -> Candidates:
        return {", ".join(f"{name}={value}" for name, value in asdict(some).items()): some for some in methods}
    blocks = sorted({max(1, round(share * depth)) for share in (.25, .5, .65, .75, .85)})
    yield "Delta-DiT", named(DeltaDiTMethod(N) for N in (2, 3)), named(
        DeltaDiTMethod(N, b, count) for N, b, count in product((2, 3), (.2, .4, .6, .8, 1.), blocks))
    yield "BlockDance", named(BlockDanceMethod(N) for N in (2, 3, 4)), named(
        BlockDanceMethod(N, count - 1, start, end)
        for N, count, start, end in product((2, 3, 4), blocks[1:], (.2, .4, .6), (.95, 1.)))


def search(options: Options) -> Path:
    """Search on every model and write what was found, in Markdown; also into docs/internals to publish it."""
    lines: list[tuple[str, ...]] = []
    for weights in options.models:
        subject = Subject(weights)
        for method, defaults, wide in candidates(subject.depth):
            settings = {**defaults, **wide}
            arms = [method_arm(method, point, some) for point, some in settings.items()]
            print(f"{subject.name}: {method}, {len(arms)} settings on {CALIBRATION_CAPTIONS} captions", flush=True)
            known = _measure(subject, arms, CALIBRATION, CALIBRATION_CAPTIONS)
            winners = {point: best(known, next(row for row in known if row.point == point)) for point in defaults}
            chosen = [arm for arm in arms if arm.point in {*winners, *winners.values()}]
            held_out = {row.point: row for row in _measure(subject, chosen, MEASURED, options.captions)}
            lines += [(subject.name, str(options.captions), method, *_cells(held_out[paper]), *_cells(held_out[found]))
                      for paper, found in winners.items()]
    report = options.out / "search.md"
    report.write_text(_text(lines))
    if options.publish:
        publish(DOCS / "benchmarks-search.md", lines)
    return report


def publish(document: Path, lines: list[tuple[str, ...]]) -> None:
    """Write what was found where that of other models stays."""
    measured = {model for model, *_ in lines}
    kept = [line for line in markdown.lines(document.read_text()) if line[0] not in measured]
    document.write_text(_text(kept + lines))


def _text(lines: list[tuple[str, ...]]) -> str:
    return (f"{INTRODUCTION}\n{BASE.name}, of picture world cfg {PICTURES.cfg:g}; searched on {CALIBRATION_CAPTIONS} "
            f"captions and measured on others.\n\n{markdown.table(COLUMNS, lines)}")


def best(known: list[Row], default: Row) -> str:
    """The point with the best PSNR among those that cost no more than the default."""
    affordable = [row for row in known if row.macs <= default.macs + 1e-9]
    return max(affordable, key=lambda row: row.psnr.mean if row.psnr else math.inf).point


def _measure(subject: Subject, arms: list[Arm], of: int, captions: int) -> list[Row]:
    contest = Contest(subject, arms, replace(BASE, cfg=subject.base.cfg))
    return rows(record for number, scene in enumerate(subject.scenes(captions, of))
                for record in contest.run([scene], number, number))


def _cells(row: Row) -> tuple[str, ...]:
    return row.point, f"{row.macs:.3f}", str(row.psnr or "equal"), row.checked
