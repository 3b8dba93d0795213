"""What reuse saved and what it cost: one row per arm."""

import math
from dataclasses import dataclass
from statistics import fmean

from lab.headless import quality
from lab.headless.outputs import decibel

from .picture import Arm, Picture
from .showcase import Showcase, Verdict


@dataclass(frozen=True)
class Row:
    arm: Arm
    steps: int
    seconds: float  # of sampling the fastest of the pictures: what else a computer does only makes it longer
    executed: float  # blocks per picture
    total: float
    speedup: float  # the seconds of full, divided by these
    psnr: float  # dB against full, mean over the pictures that differ; infinite where none does
    ssim: float  # mean over all of them
    equal: int  # pictures that are the full ones
    verdict: Verdict


def rows(pictures: dict[Arm, list[Picture]], showcase: Showcase) -> list[Row]:
    """Compare every arm with the first, which is the full one; all have the same captions in the same order."""
    full, *_ = pictures.values()
    total = max(run.blocks[1] for runs in pictures.values() for run in runs if run.blocks)
    return [_row(arm, runs, full, total // full[0].steps, showcase) for arm, runs in pictures.items()]


def _row(arm: Arm, runs: list[Picture], full: list[Picture], a_step: int, showcase: Showcase) -> Row:
    # Without our node nothing counts blocks, and nothing skips them either: every step runs all `a_step` of them
    counted = [run.blocks or (a_step * run.steps, a_step * reference.steps) for run, reference in zip(runs, full)]
    seconds, of_full = (min(run.seconds for run in arm_runs) for arm_runs in (runs, full))
    found = quality.compare([run.pixels for run in runs], [reference.pixels for reference in full])
    verdict = sum((showcase.judge(run.caption, run.pixels) for run in runs), Verdict(0, 0))
    return Row(arm, runs[0].steps, seconds, fmean(c[0] for c in counted), fmean(c[1] for c in counted),
               of_full / seconds, found.psnr, found.ssim, found.equal, verdict)


def text(table: list[Row], showcase: Showcase) -> str:
    """The rows with aligned columns; the first is what the others are compared with."""
    lines = [f"{'':20} {'sampling':>9} {'blocks executed':>16} {'ideal':>7} {'measured':>9} {'PSNR':>9} {'SSIM':>7} "
             f"{showcase.judged:>14}"]
    for row in table:
        psnr = "-" if row is table[0] else decibel(row.psnr)
        lines.append(
            f"{row.arm.name:20} {row.seconds:7.2f} s {f'{row.executed:g} / {row.total:g}':>16} "
            f"{row.total / row.executed:6.2f}x {row.speedup:8.2f}x {psnr:>9} {row.ssim:7.4f} "
            f"{f'{row.verdict.right} / {row.verdict.of}':>14}"
            f"{f'  {row.equal} identical' if row.equal and math.isfinite(row.psnr) else ''}")
    return "\n".join(lines)
