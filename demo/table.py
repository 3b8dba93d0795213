"""What reuse saved and what it cost: one row per arm."""

from dataclasses import dataclass
from statistics import fmean, median

from headless import quality

from . import checker
from .picture import Arm, Picture


@dataclass(frozen=True)
class Row:
    arm: Arm
    seconds: float  # of sampling, median over the pictures
    executed: float  # blocks per picture
    total: float
    speedup: float  # median over the pictures, against full
    psnr: float  # dB, mean over the pictures, against full
    ssim: float
    score: checker.Score


def rows(pictures: dict[Arm, list[Picture]]) -> list[Row]:
    """Compare every arm with the first, which is the full one; all have the same captions in the same order."""
    full, *_ = pictures.values()
    total = max(run.blocks[1] for runs in pictures.values() for run in runs if run.blocks)
    return [_row(arm, runs, full, total // full[0].steps) for arm, runs in pictures.items()]


def _row(arm: Arm, runs: list[Picture], full: list[Picture], a_step: int) -> Row:
    # Without our node nothing counts blocks, and nothing skips them either: every step runs all `a_step` of them
    counted = [run.blocks or (a_step * run.steps, a_step * reference.steps) for run, reference in zip(runs, full)]
    pairs = list(zip(runs, full))
    score = sum((checker.check(run.pixels, run.scene) for run in runs), checker.Score(0, 0, 0, 0))
    return Row(
        arm, median(run.seconds for run in runs), fmean(c[0] for c in counted), fmean(c[1] for c in counted),
        median(reference.seconds / run.seconds for run, reference in pairs),
        fmean(picture_psnr(run, reference) for run, reference in pairs),
        fmean(picture_ssim(run, reference) for run, reference in pairs), score)


def picture_psnr(picture: Picture, reference: Picture) -> float:
    """Peak signal-to-noise ratio in dB, infinite for identical pictures."""
    return quality.psnr(picture.pixels, reference.pixels)


def picture_ssim(picture: Picture, reference: Picture) -> float:
    """Mean structural similarity, 1 for identical pictures."""
    return quality.ssim(picture.pixels, reference.pixels)


def text(table: list[Row]) -> str:
    lines = [f"{'':16} {'sampling':>9} {'blocks executed':>16} {'ideal':>7} {'measured':>9} {'PSNR':>8} {'SSIM':>7} "
             f"{'objects right':>14}"]
    for row in table:
        lines.append(
            f"{row.arm.name:16} {row.seconds:7.2f} s {f'{row.executed:g} / {row.total:g}':>16} "
            f"{row.total / row.executed:6.2f}x {row.speedup:8.2f}x {row.psnr:5.1f} dB {row.ssim:7.4f} "
            f"{f'{row.score.right} / {row.score.objects}':>14}")
    return "\n".join(lines)
