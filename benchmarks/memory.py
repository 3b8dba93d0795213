"""Bytes that a run really takes, whoever holds them."""

import gc
from dataclasses import dataclass
from typing import Callable

import torch
from torch.profiler import ProfilerActivity, profile


@dataclass(frozen=True)
class Use:
    """As in record.Memory."""
    peak: int
    held: int


def measure(run: Callable[[Callable[[], None]], object]) -> Use:
    """The memory of one run, which is given what to call after each step. Slow: never around a timed run."""
    return _on_gpu(run) if torch.cuda.is_available() else _on_cpu(run)


def _on_gpu(run: Callable[[Callable[[], None]], object]) -> Use:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    held: list[int] = []
    run(lambda: held.append(torch.cuda.memory_allocated() - before))
    return Use(torch.cuda.max_memory_allocated() - before, max(held))


def _on_cpu(run: Callable[[Callable[[], None]], object]) -> Use:
    held: list[int] = []
    gc.freeze()  # what is there already is neither walked through nor counted
    try:
        run(lambda: held.append(living()))
    finally:
        gc.unfreeze()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiler:
        run(lambda: None)
    now = peak = 0
    events = (event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]")
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return Use(peak, max(held))


def living() -> int:
    """Bytes behind all tensors that the garbage collector knows and that are not frozen."""
    storages = (tensor.untyped_storage() for tensor in gc.get_objects() if issubclass(type(tensor), torch.Tensor)
                and tensor.device.type != "meta")
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
