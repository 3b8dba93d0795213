"""One number a method, over models and over ways of sampling: what the tables below the first screen are made of."""

from dataclasses import dataclass
from statistics import fmean
from typing import Callable, Iterable, Sequence

from .arms import AUTO, BUDCACHE, MAIN_POINTS, OTHERS, RIVALS
from .markdown import table
from .row import Row
from .setting import PRECISIONS, Setting
from .table import Table

STATIC = (*RIVALS, BUDCACHE)


@dataclass(frozen=True)
class Level:
    """What methods come to in some tables at one speed-up, in dB: means over the tables. rival: the best static one,
    by its mean, and its name; fewer: as many steps as that pays for."""
    fewer: float | None
    auto: float | None
    others: float | None
    rival: float | None
    name: str

    @classmethod
    def of(cls, tables: Sequence[Table], point: str) -> "Level":
        rivals = {method: found for method in dict.fromkeys(row.method for some in tables for row in some.rows)
                  if method.startswith(STATIC) and (found := mean(tables, method, point)) is not None}
        name = max(rivals, key=rivals.get, default="")
        return cls(mean(tables, AUTO, point, fewer=True), mean(tables, AUTO, point), mean(tables, OTHERS, point),
                   rivals.get(name), name)


def mean(tables: Iterable[Table], method: str, point: str, fewer: bool = False) -> float | None:
    """The mean PSNR of a method over tables; None where one of them does not have it. fewer: of as many steps as its
    compute pays for."""
    found = [at(table, method, point) for table in tables]
    if not found or any(row is None or row.psnr is None or fewer and row.ahead is None for row in found):
        return None
    return fmean(row.psnr.mean - (row.ahead if fewer else 0.) for row in found)


def at(table: Table, method: str, point: str) -> Row | None:
    return next((row for row in table.rows if (row.method, row.point) == (method, point)), None)


def ways(tables: Sequence[Table], base: Setting) -> str:
    """A row for each way of sampling beside those that only change the numbers: the mean over the models in it."""
    same = [table for table in tables if table.setting.precision == base.precision]
    return _levels(same, lambda setting: setting.name)


def line(tables: Sequence[Table], base: Setting) -> str:
    """Where the best static rival is ahead in other ways of sampling, in a sentence; empty where there are none."""
    settings = list(dict.fromkeys(table.setting for table in tables if table.setting != base))
    ahead: dict[str, list[str]] = {point: [] for point in MAIN_POINTS}
    compared: set[Setting] = set()
    for setting in settings:
        some = [table for table in tables if table.setting == setting]
        for point in MAIN_POINTS:
            level = Level.of(some, point)
            if level.auto is None or level.rival is None:
                continue
            compared.add(setting)
            if level.rival > level.auto:
                lead = decibels(level.rival - level.auto)
                ahead[point].append(f"{_difference(setting, base)} ({level.name}, by {lead} dB)")
    if not compared:
        return ""
    captions = {table.rows[0].samples for table in tables if table.setting in compared}
    said = "; ".join(f"at {point} in {', '.join(names) or 'none'}" for point, names in ahead.items())
    return (f"In {len(compared)} other ways of sampling ({' or '.join(map(str, sorted(captions)))} captions) the best "
            f"static rival is ahead of Auto {said}.")


def _difference(setting: Setting, base: Setting) -> str:
    """What is not as in `base`."""
    given, usual = setting.as_dict(), base.as_dict()
    plain = {"sampler", "scheduler", "precision"}
    return ", ".join(str(value) if name in plain else f"{value} steps" if name == "steps" else f"{name} {value}"
                     for name, value in given.items() if value != usual[name])


def precisions(tables: Sequence[Table], base: Setting) -> str:
    """A row for each kind of numbers, all else as in `base`, and what the kinds are."""
    same = [table for table in tables if _but_precision(table.setting) == _but_precision(base)]
    if len({table.setting.precision for table in same}) < 2:
        return ""
    words = "\n".join(f"- *{name}*: {what}." for name, what in PRECISIONS.items())
    return _levels(same, lambda setting: setting.precision) + "\n" + words + "\n"


def decibels(value: float | None, signed: bool = False) -> str:
    return "" if value is None else f"{value:+.1f}" if signed else f"{value:.1f}"


def _levels(tables: Sequence[Table], named: Callable[[Setting], str]) -> str:
    settings = list(dict.fromkeys(table.setting for table in tables))
    lines = []
    for setting in settings:
        some = [table for table in tables if table.setting == setting]
        cells = [named(setting), len(some), some[0].rows[0].samples]
        for point in MAIN_POINTS:
            level = Level.of(some, point)
            lead = None if level.auto is None or level.rival is None else level.auto - level.rival
            cells += [decibels(level.fewer), decibels(level.auto), decibels(level.others),
                      f"{decibels(level.rival)} {level.name}".strip(), decibels(lead, signed=True)]
        lines.append(cells)
    columns = ["", "models", "captions", *(f"{name}{point}" for point in MAIN_POINTS for name in (
        "fewer steps, ", "Auto, ", "of other models, ", "best static rival, ", "Auto above it, "))]
    return table(columns, lines)


def _but_precision(setting: Setting) -> tuple:
    return tuple(value for name, value in setting.as_dict().items() if name != "precision")
