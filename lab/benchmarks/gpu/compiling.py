"""torch.compile, as ComfyUI's node applies it, with and without reuse, on a Flux of full width and few blocks.

A process of its own: compiling cannot be interrupted otherwise.
"""

import time
from dataclasses import replace

import torch
from comfy.model_patcher import ModelPatcher

from ....blockdance_core.comfy.attach import attach, last_report
from ..speed.methods import METHODS, compiled
from . import models
from .methods import UNPATCHED
from .models import Case
from .record import Record
from .watch import Watch

ARMS = (UNPATCHED, "BlockDance N=2", "Delta-Cache N=2")
BACKENDS = ("none", "inductor", "cudagraphs")  # those of the node, after not compiled


def measure(case: Case, record: Record, until: float) -> None:
    size = replace(case.size, config=case.size.config | dict(depth=2, depth_single_blocks=2))
    device = models.device()
    model = models.load(models.weights(size, device), torch.bfloat16, device)
    for backend in BACKENDS:
        if backend == "cudagraphs" and device.type != "cuda":
            record.add("left out", what="backend cudagraphs", why="it needs a GPU")
            continue
        for method in ARMS:
            if time.monotonic() > until:
                record.add("left out", what=f"compile by {backend} from {method} on", why="no time")
                return
            with record.guard("compile", backend=backend, method=method):
                _measure(replace(case, size=size), backend, method, model, record)


def _measure(case: Case, backend: str, method: str, model: ModelPatcher, record: Record) -> None:
    watch = Watch()
    given = watch.put_on(model if backend == "none" else compiled(model, backend))
    patched = given if method == UNPATCHED else attach(given, METHODS[method])
    torch._dynamo.utils.counters.clear()
    runs = []
    for _ in range(3):
        case.size.sample(patched, case.steps)
        runs.append(watch.seconds)
    report, counters = last_report(patched), torch._dynamo.utils.counters
    record.add("compile", backend=backend, method=method, first=runs[0], seconds=min(runs[1:]), runs=runs,
               graphs=counters["stats"].get("unique_graphs", 0), breaks=sum(counters["graph_break"].values()),
               share=report.share if report else 1., failures=report.failures if report else [])
