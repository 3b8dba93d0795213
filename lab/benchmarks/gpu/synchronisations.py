"""Where the host waits for the GPU: each operation that synchronises, by the line of Python that asks for it."""

import sys
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Iterator

import torch

OWN = "blockdance_core"
_PASSED = (str(Path(torch.__file__).parent), warnings.__file__, __file__)


@contextmanager
def counted(found: Counter[str]) -> Iterator[None]:
    """Count those of this block by place; none where there is no GPU."""
    if not torch.cuda.is_available():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: note(found, str(message))
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


def note(found: Counter[str], message: str) -> None:
    """Count a warning, if it is one of torch's about a synchronisation."""
    if "synchronizing CUDA operation" in message:
        found[_place(sys._getframe(1))] += 1


def own(found: Counter[str]) -> int:
    """Those that the pack's own lines ask for."""
    return sum(count for place, count in found.items() if place.startswith(OWN))


def _place(frame: FrameType | None) -> str:
    """The innermost frame outside of torch."""
    while frame is not None and frame.f_code.co_filename.startswith(_PASSED):
        frame = frame.f_back
    if frame is None:
        return "unknown"
    parts = Path(frame.f_code.co_filename).parts
    start = next((parts.index(root) for root in (OWN, "benchmarks", "comfy") if root in parts), -1)
    return f"{'/'.join(parts[start:])}:{frame.f_lineno}"
