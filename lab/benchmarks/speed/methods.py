"""Each method on full-size models: the realised speed-up as a fraction of the ideal one, the compute that it saves."""

from dataclasses import dataclass
from functools import partial
from typing import Callable, Iterator, Sequence

import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.torch_helpers import set_torch_compile_wrapper

from ....blockdance_core.auto.method import AutoMethod
from ....blockdance_core.comfy.attach import attach, last_report
from ....blockdance_core.methods.blockdance import BlockDanceMethod
from ....blockdance_core.methods.delta_cache import DeltaCacheMethod
from ....blockdance_core.methods.delta_dit import DeltaDiTMethod
from ....blockdance_core.methods.method import Method
from .models import Size, chosen
from .options import Options
from .race import Pair, race, realised

OFF = BlockDanceMethod(N=1)
METHODS: dict[str, Method] = {
    "reuse off": OFF, "BlockDance N=2": BlockDanceMethod(2), "BlockDance N=3": BlockDanceMethod(3),
    "Delta-Cache N=2": DeltaCacheMethod(2), "Delta-DiT N=2": DeltaDiTMethod(2),
    "Auto 2x": AutoMethod(2., lambda *_: None)}


@dataclass(frozen=True)
class Speedup:
    """ideal: by multiply-accumulates; cpu, wall: realised, by either clock; milliseconds: a step of a full run, by the
    clock; bytes: the most that was stored."""
    model: str
    batch: int
    method: str
    ideal: float
    cpu: float
    wall: float
    milliseconds: float
    bytes: int


def measure(options: Options) -> Iterator[Speedup]:
    for size in chosen(options):
        model = size.build(getattr(torch, options.dtype))
        for batch in options.batches:
            yield from compare(size, model, options, batch)
        del model


def compare(size: Size, model: ModelPatcher, options: Options, batch: int) -> Iterator[Speedup]:
    """All methods on one model. The ideal is that of a first run, in which MACs can be counted: not compiled."""
    def run(patched: ModelPatcher, on_step: Callable | None = None) -> None:
        size.sample(patched, options.steps, batch, on_step=on_step)
    ideals, patches = [], []
    for method in METHODS.values():
        run(patched := attach(model, method))
        report = last_report(patched)
        if report.uncounted or report.failures:
            raise RuntimeError(f"{method.name} on {size.name}: {'; '.join(report.uncounted + report.failures)}")
        ideals.append(report.total_macs / report.macs)
        patches.append(attach(compiled(model), method) if options.compile else patched)
    full = compiled(model) if options.compile else model
    if options.compile:
        for patched in (full, *patches):
            run(patched)
    pairs: list[Pair] = list(race(partial(run, full), [partial(run, patched) for patched in patches], options.rounds))
    for number, method in enumerate(METHODS):
        found = realised([pair for pair in pairs if pair.number == number])
        step = sum(pair.reference.wall for pair in pairs) / len(pairs) / options.steps
        yield Speedup(size.name, batch, method, ideals[number], found.cpu, found.wall, 1000 * step,
                      last_report(patches[number]).cache_bytes)


def compiled(model: ModelPatcher, backend: str = "inductor") -> ModelPatcher:
    """As ComfyUI's node TorchCompileModel does it, whose module needs more of ComfyUI than is needed here."""
    patched = model.clone()
    set_torch_compile_wrapper(model=patched, backend=backend, options={"guard_filter_fn": _outside_of_options})
    return patched


def _outside_of_options(guards: Sequence) -> list[bool]:
    return ["transformer_options" not in guard.name for guard in guards]


def text(found: Sequence[Speedup]) -> str:
    """For people at a terminal."""
    return "\n".join(f"{s.model:8} batch {s.batch} {s.method:16} ideal {s.ideal:.3f} realised/ideal: cpu "
                     f"{s.cpu / s.ideal:.4f}, wall {s.wall / s.ideal:.4f}" for s in found)
