"""Files that several processes write and read at once, such as the workers of a fleet with one models folder.

Only plain files are used, which work on network shares and every system alike.
"""

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator
from uuid import uuid4

LOCK = ".blockdance.lock"
PAUSE = .02  # seconds between two looks at a lock
ABANDONED = 5.  # seconds: writing takes milliseconds, so whoever holds a lock for longer is gone
TRIES = 50  # to replace a file, which Windows refuses while another process reads it


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
