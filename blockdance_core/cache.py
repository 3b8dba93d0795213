"""What a run has stored, by pass and by reuse, and how many bytes it takes."""

import threading
from dataclasses import dataclass
from typing import Hashable, Mapping

from .hidden import Form, Hidden
from .plan import Reuse


@dataclass(frozen=True)
class Stored:
    """What replaces one span: for each of its outlets, by block, the hidden state to return or, for a delta, to add.

    entered: the form in which the hidden state reached the span; returned: the form that each block gave it.
    """
    hidden: Mapping[int, Hidden]
    entered: Form
    returned: Mapping[int, Form]

    @property
    def bytes(self) -> int:
        return sum(t.untyped_storage().nbytes() for hidden in self.hidden.values() for t in hidden if t is not None)


class Cache:
    """Stored spans under (pass key, reuse). Several GPUs may store at once, hence the lock."""

    def __init__(self):
        self._entries: dict[tuple[Hashable, Reuse], Stored] = {}
        self._lock = threading.Lock()
        self.peak_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        with self._lock:
            return self._count()

    def _count(self) -> int:
        return sum(stored.bytes for stored in self._entries.values())

    def get(self, key: Hashable, reuse: Reuse) -> Stored | None:
        return self._entries.get((key, reuse))

    def put(self, key: Hashable, reuse: Reuse, stored: Stored) -> None:
        with self._lock:
            self._entries[key, reuse] = stored
            self.peak_bytes = max(self.peak_bytes, self._count())

    def drop(self, key: Hashable, reuse: Reuse) -> None:
        with self._lock:
            self._entries.pop((key, reuse), None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
