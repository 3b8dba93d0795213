"""What a run has stored, by pass and by reuse, the latest few of each, and how many bytes it takes."""

import threading
from dataclasses import dataclass
from typing import Hashable, Mapping, Sequence

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


    @classmethod
    def weighted(cls, parts: Sequence[tuple[float, "Stored"]]) -> "Stored":
        """The weighted sum of what was stored at several times, in one form. Integers are those of the first."""
        (first_weight, first), *others = parts
        hidden = {}
        for block, states in first.hidden.items():
            total = tuple(s if s is None or not s.is_floating_point() else s * first_weight for s in states)
            for weight, other in others:
                for t, s in zip(total, other.hidden[block]):
                    if t is not None and t.is_floating_point():
                        t.add_(s, alpha=weight)
            hidden[block] = total
        return cls(hidden, first.entered, first.returned)


@dataclass(frozen=True)
class Anchor:
    """What an evaluation has stored, and its time, in that of a flow."""
    time: float
    stored: Stored


class Cache:
    """Anchors under (pass key, reuse), the newest first. Several GPUs may store at once, hence the lock."""

    def __init__(self, anchors: int = 1):
        self._kept = anchors
        self._entries: dict[tuple[Hashable, Reuse], tuple[Anchor, ...]] = {}
        self._lock = threading.Lock()
        self.peak_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        with self._lock:
            return self._count()

    def _count(self) -> int:
        return sum(anchor.stored.bytes for anchors in self._entries.values() for anchor in anchors)

    def get(self, key: Hashable, reuse: Reuse) -> tuple[Anchor, ...]:
        return self._entries.get((key, reuse), ())

    def put(self, key: Hashable, reuse: Reuse, anchor: Anchor) -> None:
        """Keep an anchor. Older ones of the same time, or of another form, are replaced by it."""
        new = anchor.stored
        with self._lock:
            older = [old for old in self._entries.get((key, reuse), ())
                     if old.time != anchor.time and (old.stored.entered, old.stored.returned)
                     == (new.entered, new.returned)]
            self._entries[key, reuse] = (anchor, *older)[:self._kept]
            self.peak_bytes = max(self.peak_bytes, self._count())

    def drop(self, key: Hashable, reuse: Reuse) -> None:
        with self._lock:
            self._entries.pop((key, reuse), None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
