"""A sampler watched from around it: its seconds, the memory it took and where it waited, loading left out."""

import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from .synchronisations import counted

_KEY = "benchmarks.gpu"


@dataclass
class Watch:
    """seconds: of the latest run; peak, held: bytes, the most while it ran and those before; counting: whether
    synchronisations are to be counted, which takes time."""
    counting: bool = False
    seconds: float = 0.
    peak: int = 0
    held: int = 0
    places: Counter[str] = field(default_factory=Counter)

    def put_on(self, model: ModelPatcher) -> ModelPatcher:
        watched = model.clone()
        watched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, _KEY, self._sample)
        return watched

    def _sample(self, executor, *args, **kwargs):
        on_gpu = torch.cuda.is_available()
        self.places = Counter()
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.held = torch.cuda.memory_allocated()
        started = time.perf_counter()
        with counted(self.places) if self.counting else nullcontext():
            output = executor(*args, **kwargs)
        if on_gpu:
            torch.cuda.synchronize()
            self.peak = torch.cuda.max_memory_allocated()
        self.seconds = time.perf_counter() - started
        return output
