"""The tables as a CSV, a line per row: read again, so that a run replaces what it has measured and nothing else."""

import csv
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Iterable, Sequence

from .row import BASELINE, Row
from .setting import Setting
from .statistics import Estimate
from .table import METHODS, Table, in_order, place
from .versions import NAMES

VERSIONS = *NAMES, "weights"
_SETTING = tuple(field.name for field in fields(Setting))
_PSNR = {"mean": "psnr", "low": "psnr_low", "high": "psnr_high", "spread": "psnr_spread"}
_ROW = tuple(field.name for field in fields(Row) if field.name != "psnr")
_READ = {"method": str, "point": str, "equal": "True".__eq__,
         "each": lambda cell: tuple(map(float, cell.split())),
         **dict.fromkeys(("samples", "right", "objects", "peak", "held", "exact_samples"), int)}  # the others are float


def write(path: Path, tables: Iterable[Table]) -> Path:
    """Empty cells are numbers that there are none of."""
    with path.open("w", newline="") as file:
        columns = "model", *_SETTING, *_ROW, *_PSNR.values(), *VERSIONS, "note"
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for table in tables:
            for row in table.rows:
                cells = asdict(row)
                psnr = cells.pop("psnr") or {}
                cells["each"] = " ".join(f"{value:g}" for value in row.each)
                writer.writerow({"model": table.model, **asdict(table.setting), **cells, **table.versions,
                                 **{column: psnr.get(name) for name, column in _PSNR.items()}, "note": table.note})
    return path


def read(path: Path) -> list[Table]:
    """None where there is no such file. Columns that it does not have yet are not known."""
    if not path.exists():
        return []
    found: dict[tuple[str, Setting], list[dict[str, str]]] = {}
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            found.setdefault((line["model"], _setting(line)), []).append(line)
    return [Table(model, setting, {name: lines[0][name] for name in VERSIONS if lines[0][name]},
                  tuple(map(_row, lines)), lines[0]["note"]) for (model, setting), lines in found.items()]


def joined(published: Sequence[Table], measured: Sequence[Table]) -> list[Table]:
    """What was measured now, and of what was published all that was not; but nothing of a model whose weights have
    changed since."""
    weights = {table.model: table.versions.get("weights") for table in measured}
    every = {table.key: table for table in published
             if weights.get(table.model, table.versions.get("weights")) == table.versions.get("weights")}
    for table in measured:
        every[table.key] = _completed(table, every[table.key]) if table.key in every else table
    return in_order(every.values())


def _completed(table: Table, older: Table) -> Table:
    """With the older rows of arms that it does not have, and those of fewer steps that are of more captions: no method
    has changed them. Where only it says how far a row is from many steps, that row has it."""
    rows = {(row.method, row.point): row for row in older.rows}
    for row in table.rows:
        known = rows.get((row.method, row.point))
        if known is not None and row.method == BASELINE and known.samples > row.samples:
            row = known if known.exact is not None else replace(
                known, exact=row.exact, full_exact=row.full_exact, exact_samples=row.exact_samples)
        rows[row.method, row.point] = row
    both = older.versions, table.versions
    versions = {name: " and ".join(dict.fromkeys(some[name] for some in both if name in some))
                for name in older.versions | table.versions}
    return replace(table, rows=tuple(sorted(rows.values(), key=lambda row: (place(row.method, METHODS), -row.macs))),
                   versions=versions, note=table.note or older.note)


def _setting(line: dict[str, str]) -> Setting:
    return Setting(int(line["steps"]), line["sampler"], line["scheduler"], float(line["cfg"]),
                   line["together"] == "True", int(line["batch"]), float(line["shift"]) if line.get("shift") else None,
                   line.get("precision") or "float32")


def _row(line: dict[str, str]) -> Row:
    def value(name: str) -> str | bool | int | float | None:
        of = _READ.get(name, float)
        return of(line[name]) if line.get(name) or of is str else None
    psnr = {name: value(column) for name, column in _PSNR.items()}
    cells = {name: value(name) for name in _ROW}
    return Row(**cells | {"each": cells["each"] or ()}, psnr=None if psnr["mean"] is None else Estimate(**psnr))
