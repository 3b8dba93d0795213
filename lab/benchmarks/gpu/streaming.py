"""Weights moved to the GPU for a model that does not fit: none for the blocks that an evaluation skips.

A process of its own: dynamic VRAM cannot be switched off again, and a driver may refuse it.
"""

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Iterator
from unittest import mock

import comfy.memory_management
import comfy.model_management as management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy_aimdo.control
import torch
from comfy.model_patcher import ModelPatcher

from ....blockdance_core.comfy.attach import attach, last_report
from ....blockdance_core.comfy.models.architectures import chain_of
from ....blockdance_core.engine.report import Report
from ..speed.methods import METHODS
from . import models
from .methods import UNPATCHED
from .models import Case
from .record import Record
from .watch import Watch

ARMS = (UNPATCHED, "BlockDance N=2", "Delta-Cache N=2")
SPARE = 2 * 2 ** 30  # bytes for what is computed, where only half of the weights fit
NO_MEMORY, DYNAMIC = "no memory for weights", "dynamic VRAM, memory for half of the weights"


@dataclass
class Moved:
    """Bytes: asked, of weights that layers asked for; by_block, moved, by evaluation and block, outside under None;
    pending, fetched ahead and not asked for yet."""
    owners: dict[torch.nn.Module, int]
    asked: int = 0
    by_block: list[Counter[int | None]] = field(default_factory=lambda: [Counter()])
    pending: dict[int, int] = field(default_factory=dict)

    def begin(self, _: Report) -> None:
        self.by_block.append(Counter())

    @property
    def total(self) -> int:
        return sum(map(Counter.total, self.by_block))

    @contextmanager
    def counting(self) -> Iterator[None]:
        cast, fetch = comfy.ops.cast_bias_weight, comfy.ops.cast_modules_with_vbar

        def counted_cast(layer, input=None, *args, **kwargs):
            given = cast(layer, input, *args, **kwargs)
            self.asked += _bytes(layer)
            self.pending.pop(id(layer), None)
            if not hasattr(layer, "_v") and input is not None and layer.weight.device != input.device:
                self._move(layer)
            return given

        def counted_fetch(layers, *args, **kwargs):
            stream = fetch(layers, *args, **kwargs)
            for layer in layers:
                if not getattr(layer, "_prefetch", {"resident": True})["resident"]:
                    self._move(layer)
                    self.pending[id(layer)] = _bytes(layer)
            return stream
        with (mock.patch.object(comfy.ops, "cast_bias_weight", counted_cast),
              mock.patch.object(comfy.ops, "cast_modules_with_vbar", counted_fetch)):
            yield

    def _move(self, layer: torch.nn.Module) -> None:
        self.by_block[-1][self.owners.get(layer)] += _bytes(layer)


def _bytes(layer: torch.nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in (layer.weight, layer.bias) if t is not None)


def measure(case: Case, record: Record, until: float) -> None:
    device = models.device()
    given = {name: tensor.cpu() for name, tensor in models.weights(case.size, device).items()}
    management.soft_empty_cache()
    with record.guard("streaming", mode=NO_MEMORY):
        with mock.patch.object(management, "vram_state", management.VRAMState.NO_VRAM):
            _compare(case, NO_MEMORY, _load(given, dynamic=False), record, until - (until - time.monotonic()) / 2)
    management.unload_all_models()
    management.soft_empty_cache()
    with record.guard("streaming", mode=DYNAMIC):
        if why := _enable_dynamic(device):
            record.add("left out", what=DYNAMIC, why=why)
            return
        model = _load(given, dynamic=True)
        size = sum(tensor.numel() * tensor.element_size() for tensor in given.values())
        free, _ = torch.cuda.mem_get_info(device)
        ballast = torch.empty(max(0, free - size // 2 - SPARE), dtype=torch.uint8, device=device)
        _compare(case, DYNAMIC, model, record, until, ballast=ballast.numel(), weights=size)
        del ballast


def _load(given: dict[str, torch.Tensor], dynamic: bool) -> ModelPatcher:
    return comfy.sd.load_diffusion_model_state_dict(
        dict(given), model_options={"dtype": torch.bfloat16}, disable_dynamic=not dynamic)


def _enable_dynamic(device: torch.device) -> str:
    """As ComfyUI's main.py does it; why it is not possible, if it is not."""
    if device.type != "cuda":
        return "it needs an NVIDIA GPU"
    if not comfy_aimdo.control.init_devices([device.index or 0]):
        return "comfy-aimdo could not be started here"
    comfy.model_patcher.CoreModelPatcher = comfy.model_patcher.ModelPatcherDynamic
    comfy.memory_management.aimdo_enabled = True
    return ""


def _compare(case: Case, mode: str, model: ModelPatcher, record: Record, until: float, **more: int) -> None:
    blocks, full = chain_of(model.model.diffusion_model).blocks, 0.
    owners = {layer: number for number, block in enumerate(blocks) for layer in block.modules()}
    watch = Watch()
    watched = watch.put_on(model)
    case.size.sample(watched, 1, cfg=case.cfg)  # pins memory, warms up
    for method in ARMS:
        if time.monotonic() + 1.3 * full > until:
            record.add("left out", what=f"{mode} from {method} on", why="no time")
            return
        with record.guard("streaming", mode=mode, method=method):
            moved = Moved(owners)
            patched = watched if method == UNPATCHED else attach(
                watched, METHODS[method], on_evaluation=moved.begin)
            with moved.counting():
                case.size.sample(patched, case.steps, cfg=case.cfg)
            full = full or watch.seconds
            record.add("streaming", mode=mode, model=case.size.name, method=method, steps=case.steps,
                       seconds=watch.seconds, asked=moved.asked, moved=moved.total, unused=sum(moved.pending.values()),
                       peak=watch.peak, **_skipped(moved, last_report(patched)), **more)


def _skipped(moved: Moved, report: Report | None) -> dict[str, object]:
    """What was moved for blocks that the evaluation at hand skipped."""
    if report is None:
        return {}
    skipped = [(found, evaluation.reuse.span) for evaluation, found in zip(report.evaluations, moved.by_block[1:])
               if evaluation.reuse is not None and evaluation.executed < evaluation.total]
    return {"share": report.share, "reused": len(skipped), "blocks": [len(span) for _, span in skipped],
            "moved_for_skipped": sum(found[block] for found, span in skipped for block in span),
            "failures": report.failures}
