"""Bytes that a run really takes, whoever holds them."""

import weakref
from dataclasses import dataclass
from typing import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Use:
    """As in record.Memory."""
    peak: int
    held: int


def measure(run: Callable[[Callable[[], None]], object]) -> Use:
    """The memory of one run, which is given what to call after each step. Slow on a CPU: never around a timed run."""
    held: list[int] = []
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(lambda: held.append(torch.cuda.memory_allocated() - before))
        return Use(torch.cuda.max_memory_allocated() - before, max(held))
    with _Living() as living:
        run(lambda: held.append(living.now))
    return Use(living.peak, max(held))


class _Living(TorchDispatchMode):
    """Counts the bytes behind all tensors that operators have made and that are still there.

    What was there before is known by being an input first. Workspace inside of an operator is not seen.
    """

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self._see((args, kwargs), made=False)
        out = func(*args, **(kwargs or {}))
        self._see(out, made=True)
        return out

    def _see(self, values: object, made: bool) -> None:
        for value in tree_leaves(values):
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                if storage._cdata not in self._known:
                    size = storage.nbytes() if made else 0
                    self._known.add(storage._cdata)
                    self.now += size
                    self.peak = max(self.peak, self.now)
                    weakref.finalize(storage, self._gone, storage._cdata, size)

    def _gone(self, storage: int, size: int) -> None:
        self._known.discard(storage)
        self.now -= size
