"""The records of an arm over all captions, and how far it is ahead of fewer steps."""

import math
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Iterable, Sequence

from .record import Record
from .statistics import Estimate, at, estimate

BASELINE = "fewer steps"  # the method that every other has to beat


@dataclass(frozen=True)
class Row:
    """macs, blocks, cpu, seconds: fractions of full sampling, the latter two medians of paired runs; full_seconds: of a
    full run, median; equal: whether some samples are the full run's, bit for bit, which have no PSNR; psnr: of the
    others, in dB, None without any; psnr_macs: what those cost, None where it is not known; ahead: dB more than fewer
    steps of the same sampler give for the same MACs, None outside their curve and where some are equal; ssim, l1:
    means; peak, held: bytes that sampling takes, and that are kept from step to step beyond what full sampling keeps;
    exact, full_exact: mean PSNR of the method and of full sampling to the result of very many steps, over exact_samples
    of them, None where that is not known; structure, detail: mean PSNR in either band (bands.py) of the samples that
    psnr is of, None where it is not known; expected: mean of what the method announced, in dB, None where it did not;
    each: the PSNR of these samples one by one, empty where only their mean is known. Estimates are over samples."""
    method: str
    point: str
    samples: int
    macs: float
    blocks: float
    cpu: float
    seconds: float
    equal: bool
    psnr: Estimate | None
    psnr_macs: float | None
    ssim: float
    l1: float
    right: int | None
    objects: int | None
    full_seconds: float
    ahead: float | None = None
    peak: int | None = None
    held: int | None = None
    exact: float | None = None
    full_exact: float | None = None
    structure: float | None = None
    detail: float | None = None
    expected: float | None = None
    each: tuple[float, ...] = ()
    exact_samples: int | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.point}".strip()

    @property
    def checked(self) -> str:
        """Objects right of how many; empty where nobody can check them."""
        return "" if self.objects is None else f"{self.right} / {self.objects}"


def rows(records: Iterable[Record]) -> list[Row]:
    """One row per arm: methods in the order in which they first come, the points of each by their cost, the highest
    first. The records are of one model in one setting."""
    arms: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        arms.setdefault(record.arm, []).append(record)
    methods = list(dict.fromkeys(method for method, _ in arms))
    return with_ahead(sorted(map(_row, arms.values()), key=lambda row: (methods.index(row.method), -row.macs)))


def with_ahead(table: Sequence[Row]) -> list[Row]:
    """Each row with its lead over fewer steps, which are among them."""
    curve = [(row.macs, row.psnr.mean) for row in table if row.method == BASELINE and row.psnr]
    return [replace(row, ahead=_ahead(row, curve)) for row in table]


def shared(records: Sequence[Record]) -> list[Record]:
    """Those of the captions that every arm has drawn, so that an unfinished run, too, compares like with like."""
    drawn: dict[tuple[str, str], set[int]] = {}
    for record in records:
        drawn.setdefault(record.arm, set()).add(record.number)
    common = set.intersection(*drawn.values()) if drawn else set()
    return [record for record in records if record.number in common]


def _row(records: Sequence[Record]) -> Row:
    qualities = [quality for record in records for quality in record.qualities]
    differing = [quality.psnr for quality in qualities if math.isfinite(quality.psnr)]
    exact = [quality for quality in qualities if quality.exact is not None]
    costs = [r.macs / r.full_macs for r in records if any(math.isfinite(quality.psnr) for quality in r.qualities)]
    return Row(
        records[0].method, records[0].point, len(qualities), fmean(r.macs / r.full_macs for r in records),
        fmean(r.blocks / r.full_blocks for r in records), median(r.cpu / r.full_cpu for r in records),
        median(r.seconds / r.full_seconds for r in records), len(differing) < len(qualities),
        estimate(differing) if differing else None, fmean(costs) if costs else None,
        fmean(quality.ssim for quality in qualities), fmean(quality.l1 for quality in qualities),
        _total(quality.right for quality in qualities), _total(quality.objects for quality in qualities),
        median(r.full_seconds for r in records), exact=_mean(quality.exact for quality in exact),
        full_exact=_mean(quality.full_exact for quality in exact), exact_samples=len(exact) or None,
        structure=_mean(quality.structure for quality in qualities if math.isfinite(quality.psnr)),
        detail=_mean(quality.detail for quality in qualities if math.isfinite(quality.psnr)),
        expected=_mean(record.expected for record in records),
        each=tuple(round(psnr, 2) for psnr in differing))


def _total(values: Iterable[int | None]) -> int | None:
    """None where one is not known."""
    known = list(values)
    return None if None in known else sum(known)


def _mean(values: Iterable[float | None]) -> float | None:
    """None where one is not known."""
    known = list(values)
    return None if None in known or not known else fmean(known)


def _ahead(row: Row, curve: Sequence[tuple[float, float]]) -> float | None:
    expected = at(row.macs, curve)
    return None if expected is None or row.equal or row.psnr is None else row.psnr.mean - expected


def text(table: Sequence[Row]) -> str:
    """For people at a terminal."""
    lines = [f"{'':28} {'MACs':>6} {'CPU':>6} {'wall':>6} {'PSNR':>7} {'95 %':>13} {'ahead':>7} {'SSIM':>7} "
             f"{'L1':>7} {'objects right':>14}"]
    for row in table:
        ahead = "" if row.ahead is None else f"{row.ahead:+.1f}"
        psnr, interval = ((f"{row.psnr.mean:.2f}", f"{row.psnr.low:.1f}-{row.psnr.high:.1f}") if row.psnr else
                          ("equal", ""))
        lines.append(f"{row.name:28} {row.macs:6.3f} {row.cpu:6.3f} {row.seconds:6.3f} {psnr:>7} "
                     f"{interval:>13} {ahead:>7} {row.ssim:7.4f} {row.l1:7.4f} "
                     f"{row.checked:>14}")
    return "\n".join(lines)
