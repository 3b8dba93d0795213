"""The same captions and seeds by several arms, and how near each comes to full sampling for its compute.

    from blockdance.benchmarks.arm import Arm, policy
    from blockdance.benchmarks.compare import compare, text
    rows = compare("demo/weights/pixart.safetensors", [policy("BlockDance", "N=2", BlockDancePolicy(2))])
    print(text(rows))

in a script that `python3 -m benchmarks.start` runs.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Iterator, Sequence

from ..demo import world
from .arm import FULL, Arm, Calibration
from .quality import Quality
from .quality import compare as judge
from .setting import Setting
from .statistics import Estimate, at, estimate
from .subject import Drawing, Subject, scenes

REFERENCE_EVERY = 8  # arms: load and heat change over minutes, so a full run nearby is what seconds are compared with
FEWER_STEPS = tuple(Arm("fewer steps", f"{share:.0%}", share=share) for share in (.9, .8, .7, .6, .5, .4, .33, .25))


@dataclass(frozen=True)
class Measurement:
    """One run of one arm. `reference` is the latest full run before it, on the same captions."""
    arm: Arm
    drawing: Drawing
    reference: Drawing
    qualities: tuple[Quality, ...]  # one a sample


class Contest:
    """Several arms on one model in one setting."""

    def __init__(self, subject: Subject, arms: Sequence[Arm], setting: Setting):
        self._subject = subject
        self._setting = setting
        calibration = Calibration(subject, setting)
        self._arms = [(arm, arm.prepare(calibration)) for arm in arms]

    def run(self, captions: list[world.Scene], seed: int) -> Iterator[Measurement]:
        """Every arm on one batch of captions. The first arm is another one for every seed."""
        shift = seed % max(1, len(self._arms))
        reference = None
        for number, (arm, patched) in enumerate(self._arms[shift:] + self._arms[:shift]):
            if number % REFERENCE_EVERY == 0:
                reference = self._draw(FULL, self._subject.patcher, captions, seed)
            drawing = self._draw(arm, patched, captions, seed)
            qualities = tuple(map(judge, drawing.latents, reference.latents, captions))
            yield Measurement(arm, drawing, reference, qualities)

    def _draw(self, arm: Arm, patched, captions: list[world.Scene], seed: int) -> Drawing:
        return self._subject.draw(patched, arm.setting(self._setting), captions, seed)


@dataclass(frozen=True)
class Row:
    """An arm over all captions. macs, cpu, seconds: fractions of full sampling; ahead: dB more than fewer steps of the
    same sampler give for the same MACs, None outside their curve."""
    arm: Arm
    macs: float
    cpu: float
    seconds: float
    psnr: Estimate
    ssim: float
    l1: float
    right: int
    objects: int
    ahead: float | None = None


def compare(weights: str | Path | Subject, arms: Sequence[Arm], captions: int = 8, steps: int = 30,
            sampler: str = "euler", scheduler: str = "simple", cfg: float = 3., seed: int = 0, together: bool = True,
            batch: int = 1, fewer_steps: Sequence[Arm] = FEWER_STEPS) -> list[Row]:
    """Arms against full sampling, with the curve of fewer steps that they have to beat; see Row."""
    subject = weights if isinstance(weights, Subject) else Subject(Path(weights))
    setting = Setting(steps, sampler, scheduler, cfg, together, batch)
    contest = Contest(subject, [*fewer_steps, *arms], setting)
    wanted = scenes(captions)
    measured = [measurement for number, first in enumerate(range(0, captions, batch))
                for measurement in contest.run(wanted[first:first + batch], seed + number)]
    rows = [row([m for m in measured if m.arm == arm]) for arm in (*fewer_steps, *arms)]
    return against(rows, [(r.macs, r.psnr.mean) for r in rows if r.arm in fewer_steps])


def row(measurements: Sequence[Measurement]) -> Row:
    """The measurements of one arm, as one."""
    qualities = [quality for measurement in measurements for quality in measurement.qualities]
    return Row(
        measurements[0].arm, fmean(m.drawing.work.macs / m.reference.work.macs for m in measurements),
        median(m.drawing.cpu / m.reference.cpu for m in measurements),
        median(m.drawing.seconds / m.reference.seconds for m in measurements),
        estimate([quality.psnr for quality in qualities]), fmean(quality.ssim for quality in qualities),
        fmean(quality.l1 for quality in qualities), sum(quality.right for quality in qualities),
        sum(quality.objects for quality in qualities))


def against(rows: Sequence[Row], curve: Sequence[tuple[float, float]]) -> list[Row]:
    """The rows with how far each is ahead of a curve of (MACs, PSNR)."""
    result = []
    for r in rows:
        expected = at(r.macs, curve)
        ahead = None if expected is None or math.isinf(r.psnr.mean) else r.psnr.mean - expected
        result.append(Row(**{**r.__dict__, "ahead": ahead}))
    return result


def text(rows: Sequence[Row]) -> str:
    """A table for people."""
    lines = [f"{'':28} {'MACs':>6} {'CPU':>6} {'wall':>6} {'PSNR':>7} {'95 %':>13} {'ahead':>7} {'SSIM':>7} "
             f"{'L1':>7} {'objects right':>14}"]
    for r in rows:
        ahead = "" if r.ahead is None else f"{r.ahead:+.1f}"
        lines.append(f"{r.arm.name:28} {r.macs:6.3f} {r.cpu:6.3f} {r.seconds:6.3f} {r.psnr.mean:7.2f} "
                     f"{f'{r.psnr.low:.1f}-{r.psnr.high:.1f}':>13} {ahead:>7} {r.ssim:7.4f} {r.l1:7.4f} "
                     f"{f'{r.right} / {r.objects}':>14}")
    return "\n".join(lines)
