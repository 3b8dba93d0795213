"""Files of one kind, such as profiles, in several folders, and files that several processes write.

The workers of a fleet may share a folder: they replace files whole, and take turns by a lock. That is a plain file,
too, which works on network shares and every system alike.
"""

import hashlib
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator
from uuid import uuid4

LOCK = ".blockdance.lock"
PAUSE = .02  # seconds between two looks at a lock
ABANDONED = 5.  # seconds: writing takes milliseconds, so whoever holds a lock for longer is gone
TRIES = 50  # to replace a file, which Windows refuses while another process reads it


@dataclass(frozen=True)
class Files:
    """folders: new files go to the first. kind: what people call one; error: raised for a name that none has; instead:
    what to do then."""
    folders: tuple[Path, ...]
    suffix: str
    kind: str
    error: type[ValueError]
    instead: str

    def names(self) -> list[str]:
        return sorted({path.name for folder in self.folders for path in folder.glob(f"*{self.suffix}")})

    def state(self, name: str | None = None) -> str:
        """Changes whenever a file is written, comes or goes; a name's, or that of all. Raises as `find` does."""
        every = (folder / each for folder in self.folders for each in self.names())
        paths = every if name is None else [self.find(name)]
        known = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.is_file()]
        return hashlib.sha256(repr(known).encode()).hexdigest()

    def find(self, name: str) -> Path:
        """The file of this name, which leads out of no folder."""
        for folder in self.folders:
            path = folder / name
            if path.name == name and path.suffix == self.suffix and path.is_file():
                return path
        raise self.error(f"there is no {self.kind} {name!r} in {self.folders[0]}; there are "
                         f"{', '.join(self.names()) or 'none'}. {self.instead}, or copy the file there")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, whose file then takes the place of `path`: whoever reads that finds all of the old or all of
    the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.parent / f".{path.name}.{uuid4().hex}.tmp"
    try:
        yield written
        _replace(written, path)
    finally:
        written.unlink(missing_ok=True)


def _replace(written: Path, path: Path) -> None:
    for attempt in range(TRIES):
        try:
            return written.replace(path)
        except PermissionError:
            if os.name != "nt" or attempt == TRIES - 1:
                raise
            time.sleep(PAUSE)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While no other process does the same in this folder. A lock that nobody gives back is taken over."""
    folder.mkdir(parents=True, exist_ok=True)
    lock, seen, since = folder / LOCK, None, time.monotonic()
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except (FileExistsError, PermissionError) as error:  # the latter on Windows while a lock is being given back
            refused = isinstance(error, PermissionError) and (
                not os.access(folder, os.W_OK) or time.monotonic() - since > ABANDONED)
            if refused:
                raise
        if (now := _identity(lock)) != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > ABANDONED:
            lock.unlink(missing_ok=True)
        time.sleep(PAUSE)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _identity(lock: Path) -> tuple[int, int] | None:
    """Tells one lock of a name from the next; clocks of other machines have no part in it."""
    try:
        found = lock.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
