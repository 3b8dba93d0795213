"""Hidden states put away between steps: in fewer bits, or in main memory."""

import threading
from dataclasses import dataclass
from typing import Hashable, Mapping, Sequence

import torch

from ..plan.plan import Reuse
from .blocks import Form, Hidden

_FP8_EXPONENT = 8  # the largest number of float8_e4m3fn is 448: a peak below 2 ** 8 fits in whatever its mantissa is
_LARGEST_SHIFT = 15  # a power of two that float16 has


@dataclass(frozen=True)
class Packed:
    """A tensor put away. shift: it was multiplied by 2 to the power of this, (); None where it was not."""
    tensor: torch.Tensor
    dtype: torch.dtype
    device: torch.device
    shift: torch.Tensor | None = None

    @property
    def bytes(self) -> int:
        return sum(t.untyped_storage().nbytes() for t in (self.tensor, self.shift) if t is not None)

    def unpack(self) -> torch.Tensor:
        tensor = self.tensor.to(self.device, non_blocking=True).to(self.dtype)
        return tensor if self.shift is None else tensor * torch.exp2(-self.shift)


def pack(tensor: torch.Tensor, dtype: torch.dtype | None, offload: bool) -> Packed:
    """Put a tensor away as `dtype`, where that is smaller than its own, and in main memory if `offload`.

    One power of two brings the tensor into the range of fp8, so that a number's rounding does not depend on what else
    is in the batch. Nothing is read back from the device. Raises TypeError where the device does not have the dtype.
    """
    kept, shift = tensor, None
    if dtype is not None and tensor.is_floating_point() and tensor.numel() and dtype.itemsize < tensor.itemsize:
        if dtype.itemsize == 1:
            peak = torch.frexp(tensor.abs().amax().float()).exponent
            shift = (_FP8_EXPONENT - peak).clamp(max=_LARGEST_SHIFT).float()
            kept = kept * torch.exp2(shift)
        kept = kept.to(dtype)
    return Packed(_to_main_memory(kept) if offload else kept, tensor.dtype, tensor.device, shift)


def _to_main_memory(tensor: torch.Tensor) -> torch.Tensor:
    """From a CUDA device without waiting: what reads it there again is queued behind this copy."""
    if tensor.device.type != "cuda":
        return tensor.cpu()
    try:
        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    except RuntimeError:  # no more memory that could be pinned
        return tensor.cpu()
    return pinned.copy_(tensor, non_blocking=True)


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

    @property
    def device(self) -> torch.device:
        return next(t.device for hidden in self.hidden.values() for t in hidden if t is not None)

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


@dataclass(frozen=True)
class _Entry:
    """An anchor put away; `plain` where its tensors are as they came. group: in which it was stored."""
    time: float
    group: int
    form: tuple[Form, Mapping[int, Form]]
    plain: Stored | None
    hidden: Mapping[int, tuple[Packed | None, ...]]

    @classmethod
    def of(cls, anchor: Anchor, group: int, dtype: torch.dtype | None, offload: bool) -> "_Entry":
        stored = anchor.stored
        form = stored.entered, stored.returned
        if dtype is None and not offload:
            return cls(anchor.time, group, form, stored, {})
        hidden = {block: tuple(t if t is None else pack(t, dtype, offload) for t in states)
                  for block, states in stored.hidden.items()}
        return cls(anchor.time, group, form, None, hidden)

    @property
    def bytes(self) -> int:
        if self.plain is not None:
            return self.plain.bytes
        return sum(packed.bytes for states in self.hidden.values() for packed in states if packed is not None)

    def anchor(self) -> Anchor:
        if self.plain is not None:
            return Anchor(self.time, self.plain)
        hidden = {block: tuple(None if packed is None else packed.unpack() for packed in states)
                  for block, states in self.hidden.items()}
        return Anchor(self.time, Stored(hidden, *self.form))


class Cache:
    """Anchors under (pass key, reuse), the newest first. Several GPUs may store at once, hence the lock.

    anchors: how many are kept, which is also how many groups back they may come from: a group is an evaluation that
    computes everything and those that reuse it. dtype: what larger floating-point tensors are kept as, None for their
    own.
    """

    def __init__(self, anchors: int = 1, dtype: torch.dtype | None = None):
        self.dtype = dtype
        self._kept = anchors
        self._entries: dict[tuple[Hashable, Reuse], tuple[_Entry, ...]] = {}
        self._group = 0
        self._lock = threading.Lock()
        self.peak_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        with self._lock:
            return self._count()

    def _count(self) -> int:
        return sum(entry.bytes for entries in self._entries.values() for entry in entries)

    def begin_group(self) -> None:
        """An evaluation computes everything: what no forecast may use from here on is let go, for it or for the model.
        """
        with self._lock:
            self._group += 1
            oldest = self._group - self._kept
            kept = {name: tuple(entry for entry in entries if entry.group > oldest)
                    for name, entries in self._entries.items()}
            self._entries = {name: entries for name, entries in kept.items() if entries}

    def limit(self, passes: int) -> None:
        """Keep what belongs to this many passes, those that were stored or read last."""
        with self._lock:
            if len(self._entries) <= passes:
                return
            keys = set(list(dict.fromkeys(key for key, _ in reversed(self._entries)))[:passes])
            self._entries = {name: entries for name, entries in self._entries.items() if name[0] in keys}

    def get(self, key: Hashable, reuse: Reuse) -> tuple[Anchor, ...]:
        """The anchors as they were put, but for what a smaller dtype has taken from them; none where this pass has
        stored nothing in the present group."""
        with self._lock:
            entries = self._entries.get((key, reuse), ())
            if not entries or entries[0].group != self._group:
                return ()
            self._entries[key, reuse] = self._entries.pop((key, reuse))
        return tuple(entry.anchor() for entry in entries)

    def put(self, key: Hashable, reuse: Reuse, anchor: Anchor, offload: bool = False) -> None:
        """Keep an anchor, in main memory if `offload`. Older ones of the same time, or of another form, are replaced by
        it. Raises TypeError where the device does not have `dtype`."""
        new = _Entry.of(anchor, self._group, self.dtype, offload)
        with self._lock:
            older = [old for old in self._entries.pop((key, reuse), ())
                     if old.time != new.time and old.form == new.form]
            self._entries[key, reuse] = (new, *older)[:self._kept]
            self.peak_bytes = max(self.peak_bytes, self._count())

    def drop(self, key: Hashable, reuse: Reuse) -> None:
        with self._lock:
            self._entries.pop((key, reuse), None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
