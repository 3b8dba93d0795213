"""What was measured, written after each row, so that a run that is cut short loses nothing."""

import json
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


class Record:
    """Rows by section. A section or method that fails leaves a row that says why, and the rest goes on."""

    def __init__(self, path: Path, about: dict[str, str]):
        self._path = path
        self._content: dict = {"about": about, "rows": []}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    def add(self, section: str, **row: object) -> None:
        self._content["rows"].append({"section": section, **row})
        self._write()
        print(section, {name: value for name, value in row.items() if name not in ("places", "trace")}, flush=True)

    def extend(self, path: Path) -> None:
        """By the rows of another record, if it is there."""
        if path.is_file():
            self._content["rows"] += json.loads(path.read_text())["rows"]
            self._write()

    @contextmanager
    def guard(self, section: str, **what: object) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever a host, a driver or a compiler raises: the lease is short
            self.add("failed", what=section, **what, error=f"{type(error).__name__}: {error}"[:600],
                     trace=traceback.format_exc()[-2500:])

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._content, indent=1))
        fresh.replace(self._path)
