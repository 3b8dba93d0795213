"""The command in ComfyUI's Python: each model and dtype, the pack's own time, then the parts in processes of their own.

Each has a share of the time; what an earlier one leaves is for those after it.
"""

import gc
import logging
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass

import comfy.model_management as management
import torch

from ..versions import versions
from . import compiling, methods, models, streaming
from .models import Case
from .options import Options, parse
from .part import Part, wait
from .record import Record

BF16, FP8 = "bfloat16", "float8_e4m3fn"


@dataclass(frozen=True)
class Slot:
    """until: the share of all the time that is gone when it is to be over; rounds: timed runs, at most the case's."""
    model: str
    dtypes: tuple[str, ...]
    until: tuple[float, ...]
    rounds: int = 2


FIRST = (Slot("Flux", (BF16, FP8), (.34, .46)), Slot("SD3", (BF16, FP8), (.51, .55)), Slot("Wan", (BF16,), (.74,)))
LAST = (Slot("Wan", (FP8,), (1.,), rounds=1),)
STREAMING, COMPILE = .83, .99


def main() -> int:
    options = parse(sys.argv[1:])
    started = time.monotonic()
    logging.getLogger().setLevel(logging.WARNING)
    cases = models.SMALL if options.small else models.FULL
    if options.part != "all":
        return _part(options, cases)
    if not options.small and not torch.cuda.is_available():
        sys.exit("error: this torch sees no CUDA device; --small rehearses on the CPU")
    record = Record(options.out, _about(options, cases))
    parts = [Part(options, "streaming", dynamic=True), Part(options, "compile")]
    try:
        for slot in FIRST:
            _measure(slot, cases[slot.model], record, started, options)
        for part, until in zip(parts, (STREAMING, COMPILE)):
            _run(part, started + until * options.seconds, record)
        for slot in LAST:
            _measure(slot, cases[slot.model], record, started, options)
    finally:
        for part in parts:
            part.stop()
    record.add("ended", seconds=time.monotonic() - started)
    return 0


def _measure(slot: Slot, case: Case, record: Record, started: float, options: Options) -> None:
    """One set of weights in each dtype, and on the first Flux the pack's own time."""
    if time.monotonic() - started > slot.until[-1] * options.seconds - 8:
        record.add("left out", what=f"{slot.model} {', '.join(slot.dtypes)}", why="no time")
        return
    with record.guard("weights", model=slot.model):
        began, device = time.monotonic(), models.device()
        weights = models.weights(case.size, device)
        count = sum(tensor.numel() for tensor in weights.values())
        record.add("weights", model=slot.model, count=count, seconds=time.monotonic() - began)
        for dtype, until in zip(slot.dtypes, slot.until):
            with record.guard("load", model=slot.model, dtype=dtype):
                began = time.monotonic()
                model = models.load(weights, getattr(torch, dtype), device)
                record.add("load", model=slot.model, dtype=dtype, seconds=time.monotonic() - began,
                           kind=type(model.model).__name__, patcher=type(model).__name__,
                           bytes=model.model_size(), computes=str(model.model.get_dtype_inference()))
                methods.measure(case, dtype, model, record, started + until * options.seconds,
                                min(slot.rounds, case.rounds))
                if slot.model == "Flux" and dtype == BF16:
                    with record.guard("own"):
                        methods.host_time(case, model, record)
            model = None
            _release()
    weights = None
    _release()


def _release() -> None:
    management.unload_all_models()
    gc.collect()
    management.soft_empty_cache()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _run(part: Part, until: float, record: Record) -> None:
    seconds = until - time.monotonic()
    if seconds < 8:
        record.add("left out", what=part.name, why="no time")
        return
    if why := part.run(seconds):
        record.add("failed", what=part.name, error=why)
    record.extend(part.out)


def _part(options: Options, cases: dict[str, Case]) -> int:
    """As a process of its own."""
    record = Record(options.out, {})
    if not (seconds := wait()):
        return 0
    until = time.monotonic() + seconds
    with record.guard(options.part):
        if options.part == "streaming":
            streaming.measure(cases["SD3"], record, until)
        else:
            compiling.measure(cases["Flux"], record, until)
    return 0


def _about(options: Options, cases: dict[str, Case]) -> dict[str, str]:
    found = versions(()) | {"cores": str(os.cpu_count()), "system": platform.system()}
    if torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        found |= {"cuda": str(torch.version.cuda), "memory": f"{total / 2 ** 30:.0f} GiB", "driver": _driver()}
    return found | {name: case.what for name, case in cases.items()}


def _driver() -> str:
    try:
        done = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                              capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
