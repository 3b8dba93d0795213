"""One run of one arm, as it is kept: a line of JSON."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from .quality import Quality
from .setting import Setting


@dataclass(frozen=True)
class Record:
    """number: of the batch of captions, and its seed; macs, blocks: work of this run; seconds, cpu: wall clock and time
    of computing; full_...: the same of the latest full run before it, on the same captions; qualities: one a sample;
    expected: the PSNR that the method announced, None where it did not."""
    model: str
    setting: Setting
    number: int
    method: str
    point: str
    macs: float
    blocks: int
    seconds: float
    cpu: float
    full_macs: float
    full_blocks: int
    full_seconds: float
    full_cpu: float
    qualities: tuple[Quality, ...]
    expected: float | None = None

    @property
    def arm(self) -> tuple[str, str]:
        return self.method, self.point

    @property
    def name(self) -> str:
        return f"{self.method} {self.point}".strip()

    @property
    def key(self) -> tuple:
        """What it measures: a run need not be repeated where there is a record of this key."""
        return self.model, self.setting, self.number, self.method, self.point

    def line(self) -> str:
        """JSON has no infinity, which is the PSNR of equal pictures: null stands for it, as for what is not known."""
        fields = asdict(self)
        for quality in fields["qualities"]:
            for name in ("psnr", "exact", "full_exact", "structure", "detail"):
                if quality[name] is not None and not math.isfinite(quality[name]):
                    quality[name] = None
        return json.dumps({"kind": "run", **fields}, allow_nan=False)

    @classmethod
    def of(cls, fields: dict) -> "Record":
        """From a parsed line."""
        qualities = tuple(Quality(**quality | {"psnr": math.inf if quality["psnr"] is None else quality["psnr"]})
                          for quality in fields["qualities"])
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        return cls(**known | {"setting": Setting(**fields["setting"]), "qualities": qualities})


@dataclass(frozen=True)
class Memory:
    """Bytes of one run of a method, above what the loaded model takes: the most at any moment, and the most that is
    held from one step to the next, which is the latent and whatever the method stores."""
    model: str
    setting: Setting
    method: str
    peak: int
    held: int

    @property
    def key(self) -> tuple:
        return self.model, self.setting, self.method

    def line(self) -> str:
        return json.dumps({"kind": "memory", **asdict(self)})

    @classmethod
    def of(cls, fields: dict) -> "Memory":
        known = {name: fields[name] for name in cls.__dataclass_fields__}
        return cls(**known | {"setting": Setting(**fields["setting"])})


def reopen(path: Path) -> TextIO:
    """A file of records to append to, without a last line that an interruption has cut short."""
    if path.exists():
        whole = path.read_bytes().rpartition(b"\n")
        path.write_bytes(whole[0] + whole[1])
    return path.open("a")


def whole_lines(path: Path) -> list[dict]:
    """What is recorded in a file, without a last line that an interruption has cut short."""
    with path.open() as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]


def load(folder: Path) -> tuple[list[Record], list[Memory], list[dict]]:
    """All runs, memory and versions that have been recorded in a folder."""
    found: dict[str, list[dict]] = {"run": [], "memory": [], "versions": []}
    for path in sorted(folder.glob("records-*.jsonl")):
        for fields in whole_lines(path):
            found[fields["kind"]].append(fields)
    runs = {record.key: record for record in map(Record.of, found["run"])}
    memories = {memory.key: memory for memory in map(Memory.of, found["memory"])}
    return list(runs.values()), list(memories.values()), found["versions"]
