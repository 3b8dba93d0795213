"""What Auto expected before its runs, against what came."""

from dataclasses import dataclass
from statistics import fmean
from typing import Sequence

from .arms import AUTO, GENERAL, OTHERS
from .markdown import table
from .row import Row
from .table import Table


@dataclass(frozen=True)
class Promise:
    """Of some rows. expected, measured: means in dB; wrong: how far the first is above the second; worst: how far it is
    above the picture that came out worst."""
    pictures: int
    expected: float
    measured: float
    wrong: float
    worst: float

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Promise":
        above = [row.expected - psnr for row in rows for psnr in row.each]
        return cls(len(above), fmean(row.expected for row in rows), fmean(row.psnr.mean for row in rows),
                   fmean(row.expected - row.psnr.mean for row in rows), max(above))


def promising(table: Table) -> list[Row]:
    """The rows of ours that announced something of a measured model; of others a lower quartile is announced."""
    return [row for row in table.rows if row.expected is not None and row.each and row.method.startswith(AUTO)
            and row.method not in (OTHERS, GENERAL)]


def against_measured(tables: Sequence[Table]) -> str:
    """A row for each model, way of sampling and speed-up; empty where nothing was announced."""
    lines = []
    for some in tables:
        for row in promising(some):
            promise = Promise.of([row])
            lines.append((some.model, some.setting.name, row.name, promise.pictures, f"{promise.expected:.0f}",
                          f"{promise.measured:.1f}", f"{promise.wrong:+.1f}", f"{promise.worst:+.1f}"))
    return table(("model", "", "", "captions", "expected, dB", "measured, dB", "too much by", "at worst"),
                 lines) if lines else ""


def line(tables: Sequence[Table]) -> str:
    """The same in a sentence."""
    rows = [row for some in tables for row in promising(some)]
    if not rows:
        return ""
    wrong = fmean(abs(row.expected - row.psnr.mean) for row in rows)
    promise = Promise.of(rows)
    return (f"What Auto expects before a run is {wrong:.1f} dB off in the mean, {abs(promise.wrong):.1f} too "
            f"{'much' if promise.wrong > 0 else 'little'} over all, and at worst {promise.worst:.0f} too much for a "
            "picture.")
