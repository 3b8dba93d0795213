"""One model sampled one way by every method: a table of the report."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterable, Sequence, TypeVar

from .arms import ALL as ARMS
from .record import Memory, Record
from .row import Row, rows, shared
from .setting import ALL as SETTINGS
from .setting import Setting
from .versions import NAMES

METHODS = tuple(dict.fromkeys(arm.method for arm in ARMS))
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Table:
    """versions: what it was measured with, by name, and the digest of the model's `weights`; note: what else a reader
    has to know of how it came about."""
    model: str
    setting: Setting
    versions: dict[str, str]
    rows: tuple[Row, ...]
    note: str = ""

    @property
    def key(self) -> tuple[str, Setting]:
        return self.model, self.setting


def tables(records: Sequence[Record], memories: Iterable[Memory], versions: Iterable[dict]) -> list[Table]:
    """Of every model in every setting in which at least one batch of captions is complete. Methods stand in one order,
    whenever they were measured."""
    of_key: dict[tuple[str, Setting], list[Record]] = {}
    for record in records:
        of_key.setdefault((record.model, record.setting), []).append(record)
    complete = {key: shared(some) for key, some in of_key.items()}
    used, recorded = {memory.key: memory for memory in memories}, list(versions)
    return in_order(Table(model, setting, _versions(model, recorded), tuple(
        _with_memory(row, used.get((model, setting, row.method)), used.get((model, setting, "full")))
        for row in rows(sorted(some, key=lambda record: (place(record.method, METHODS), record.number)))))
        for (model, setting), some in complete.items() if some)


def in_order(tables: Iterable[Table]) -> list[Table]:
    """Models as they first come, and of each its settings in the order in which they are measured."""
    every = list(tables)
    models = list(dict.fromkeys(table.model for table in every))
    return sorted(every, key=lambda table: (models.index(table.model), place(table.setting, SETTINGS)))


def place(thing: Thing, among: Sequence[Thing]) -> int:
    """Where it stands among others, behind them where it is unknown."""
    return among.index(thing) if thing in among else len(among)


def _with_memory(row: Row, of: Memory | None, full: Memory | None) -> Row:
    held = max(0, of.held - full.held) if of and full else None
    return replace(row, peak=of.peak if of else None, held=held)


def _versions(model: str, recorded: Sequence[dict]) -> dict[str, str]:
    """Of the runs of this model; several of one name where it was measured with several."""
    merged: dict[str, dict[str, None]] = {}
    for some in recorded:
        weights = {name for name in some if Path(name).stem == model}
        for name, value in some.items() if weights else ():
            if name in weights:
                merged.setdefault("weights", {})[value] = None
            elif name in NAMES:
                merged.setdefault(name, {})[value] = None
    return {name: " and ".join(values) for name, values in merged.items()}
