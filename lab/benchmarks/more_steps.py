"""More steps for the same time: as many evaluations as half of the steps take, spent on twice the steps."""

from dataclasses import replace
from statistics import fmean
from typing import Sequence

from .across import at, decibels
from .arms import AUTO, OTHERS
from .markdown import table
from .row import BASELINE, Row
from .setting import Setting
from .table import Table

STEPS = 40
WAYS = ((BASELINE, "50%", f"{STEPS // 2} steps"), (AUTO, "2x", f"{STEPS} steps, Auto 2x"),
        (OTHERS, "2x", f"{STEPS} steps, Auto 2x, profile of other models"),
        ("MeanCache", "2x", f"{STEPS} steps, MeanCache 2x"))


def more_steps(tables: Sequence[Table]) -> str:
    """The mean over models in the setting of so many steps; empty where it was not measured."""
    lines = [(name, f"{STEPS // 2}", decibels(fmean(row.psnr.mean for row in rows)), _exact(rows))
             for method, point, name in WAYS if (rows := _rows(tables, method, point))]
    if len(lines) < 2:
        return ""
    known = [row for table in tables for row in table.rows if row.full_exact is not None]
    full = (f"{STEPS} steps", f"{STEPS}", "equal", decibels(fmean(row.full_exact for row in known) if known else None))
    return table(("", "evaluations", f"to {STEPS} steps, dB", "to 200 steps, dB"), [*lines, full])


def line(tables: Sequence[Table]) -> str:
    """The same in a sentence."""
    few, more = _rows(tables, *WAYS[0][:2]), _rows(tables, *WAYS[1][:2])
    if not few or not more or not _exact(few) or not _exact(more):
        return ""
    return (f"For the time of {STEPS // 2} steps, {STEPS} steps with Auto come to {_exact(more)} dB of a run of 200 "
            f"steps, where {STEPS // 2} steps come to {_exact(few)}.")


def of_steps(tables: Sequence[Table], base: Setting) -> list[Table]:
    """Those in the setting of so many steps, and else that of `base`."""
    return [table for table in tables if table.setting == replace(base, steps=STEPS)]


def _rows(tables: Sequence[Table], method: str, point: str) -> list[Row]:
    """Of every table, or none."""
    rows = [at(table, method, point) for table in tables]
    return [] if any(row is None or row.psnr is None for row in rows) else rows


def _exact(rows: Sequence[Row]) -> str:
    known = [row.exact for row in rows]
    return "" if None in known else decibels(fmean(known))
