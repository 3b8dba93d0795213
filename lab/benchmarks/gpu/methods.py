"""Each method on a model of full size: seconds against what it saves, memory, and where it waits for the GPU."""

import time
from statistics import median

import torch
from comfy.model_patcher import ModelPatcher

from ....blockdance_core.comfy.attach import attach, last_report
from ....blockdance_core.engine.report import Report
from ..speed import overhead
from ..speed.methods import METHODS
from . import synchronisations
from .models import Case
from .record import Record
from .watch import Watch

UNPATCHED = "unpatched"
ARMS = ("reuse off", "BlockDance N=2", "Delta-Cache N=2", "Auto 2x")
ROUNDS = 4  # of empty blocks


def measure(case: Case, dtype: str, model: ModelPatcher, record: Record, until: float, rounds: int) -> None:
    """The unpatched model, then each method, as long as there is time for one more (time.monotonic, seconds)."""
    watch = Watch()
    watched, what = watch.put_on(model), {"model": case.size.name, "dtype": dtype}
    case.size.sample(watched, 2, cfg=case.cfg)  # warms up
    full = 0.
    for method in (UNPATCHED, *ARMS):
        if time.monotonic() + 2 * full > until:
            record.add("left out", what=f"{case.size.name} {dtype} from {method} on", why="no time")
            return
        with record.guard("methods", **what, method=method):
            patched = watched if method == UNPATCHED else attach(watched, METHODS[method])
            row = _measured(case, patched, watch, until, rounds)
            full = full or row["seconds"]
            record.add("methods", **what, method=method, steps=case.steps, cfg=case.cfg, **row,
                       realised=full / row["seconds"], **_counted(last_report(patched)))


def _measured(case: Case, patched: ModelPatcher, watch: Watch, until: float, rounds: int) -> dict[str, object]:
    """A first run in which synchronisations are counted, then timed ones."""
    watch.counting = True
    output = case.size.sample(patched, case.steps, cfg=case.cfg)
    watch.counting, places, found = False, watch.places, []
    row = {"syncs": sum(places.values()), "own_syncs": synchronisations.own(places),
           "places": dict(places.most_common(8)), "peak": watch.peak, "held": watch.held,
           "finite": bool(torch.isfinite(output).all()), "first": watch.seconds}
    for number in range(rounds):
        if number and time.monotonic() + max(found) > until:
            break
        case.size.sample(patched, case.steps, cfg=case.cfg)
        found.append(watch.seconds)
    return row | {"runs": found, "seconds": median(found)}


def _counted(report: Report | None) -> dict[str, object]:
    if report is None:
        return {}
    return {"ideal": report.total_macs / report.macs if report.macs else 0., "blocks": report.share,
            "reused": report.reused, "evaluations": len(report.evaluations), "cache": report.cache_bytes,
            "uncounted": report.uncounted, "failures": report.failures, "notes": report.notes}


def host_time(case: Case, model: ModelPatcher, record: Record) -> None:
    """The pack's own processor time an evaluation, beside blocks that hand on what they are given. Spoils the model."""
    overhead.empty(model)
    for found in overhead.compare(overhead.Case("", "", case.size, case.steps), model, ARMS, ROUNDS):
        record.add("own", model=case.size.name, method=found.method, milliseconds=found.milliseconds, bare=found.bare)
