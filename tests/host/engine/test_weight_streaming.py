"""Bytes of weights that ComfyUI moves when a model does not fit: none for the blocks that a step skips.

There are two ways. Without memory for the model the weights of each layer are moved when it is called; and with dynamic
VRAM, two models (LTX-2, MiniMax-H3) have a queue that fetches those of a whole block before its call. What is measured
here is the table in docs/internals/memory.md: with the variable BLOCKDANCE_WRITE_DOCS set it is written, else compared.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from unittest import mock

import comfy.model_management
import comfy.model_patcher
import comfy.model_prefetch
import comfy.ops
import comfy.sample
import pytest
import torch

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.blockdance_core.engine.report import Report
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.tests.documents import ROOT, check_table
from blockdance.tests.host.models.test_architectures import APART, conditioned
from blockdance.tests.models.zoo import ZOO

DOCS = ROOT / "docs" / "internals" / "memory.md"
LAYERS, QUEUE = "layer by layer", "a queue of blocks"
MEASURED = [("PixArt-Sigma", LAYERS), ("SD3", LAYERS), ("Flux.1", LAYERS), ("Qwen-Image", LAYERS), ("Wan 2.1", LAYERS),
            ("LTX-2", LAYERS), ("LTX-2", QUEUE), ("MiniMax-H3", QUEUE)]
METHOD = DeltaCacheMethod(N=2)


@dataclass
class Moved:
    """Bytes moved, by evaluation and block; outside of the blocks under None."""
    reports: list[Report] = field(default_factory=list)
    evaluations: list[dict[int | None, int]] = field(default_factory=list)
    owners: dict[torch.nn.Module, int] = field(default_factory=dict)

    def begin(self, report: Report) -> None:
        self.evaluations.append(defaultdict(int))

    def count(self, layer: torch.nn.Module) -> None:
        weights = [tensor for tensor in (layer.weight, layer.bias) if tensor is not None]
        self.evaluations[-1][self.owners.get(layer)] += sum(t.numel() * t.element_size() for t in weights)

    def of_blocks(self, evaluation: int) -> int:
        return sum(count for block, count in self.evaluations[evaluation].items() if block is not None)


def without_memory(moved: Moved, monkeypatch) -> None:
    """ComfyUI's partial loading with no room at all: each layer casts its weights when it is called."""
    def load(self, device_to=None, lowvram_model_memory=0, *args, keep=comfy.model_patcher.ModelPatcher.load, **kwargs):
        kwargs.pop("full_load", None)
        keep(self, device_to, 1, *args, **kwargs)

    def cast(layer, *args, keep=comfy.ops.cast_bias_weight, **kwargs):
        moved.count(layer)
        return keep(layer, *args, **kwargs)
    monkeypatch.setattr(comfy.model_patcher.ModelPatcher, "load", load)
    monkeypatch.setattr(comfy.ops, "cast_bias_weight", cast)


def with_a_queue(moved: Moved, monkeypatch) -> None:
    """ComfyUI's own queue, told that the CPU is a device with streams; the transfer itself is only counted."""
    def make(queue, device, options, keep=comfy.model_prefetch.make_prefetch_queue):
        management = comfy.model_management
        with (mock.patch.object(management, "NUM_STREAMS", 2),
              mock.patch.object(management, "is_device_cpu", lambda _: False),
              mock.patch.object(management, "device_supports_non_blocking", lambda _: True)):
            return keep(queue, device, options | {"prefetch_dynamic_vbars": True})

    def fetch(layers, *_) -> None:
        for layer in layers:
            moved.count(layer)
    for layer in moved.owners:
        if getattr(layer, "weight", None) is not None and hasattr(layer, "bias"):
            layer._v = None  # what dynamic VRAM gives to each layer
    monkeypatch.setattr(comfy.model_prefetch, "make_prefetch_queue", make)
    monkeypatch.setattr(comfy.ops, "cast_modules_with_vbar", fetch)


@pytest.fixture(scope="module")
def cells() -> dict[tuple[str, str], tuple]:
    return {}


@pytest.mark.parametrize("name, way", MEASURED)
def test_weights_of_skipped_blocks_are_not_moved(name, way, cells, monkeypatch):
    tiny, moved = ZOO[name], Moved()
    model = tiny.build()
    conditioned(tiny, monkeypatch, model)
    if name in APART:
        monkeypatch.setattr(type(model), "get_free_memory", lambda self, device: 0)
    blocks = chain_of(model.model.diffusion_model).blocks
    moved.owners.update((layer, number) for number, block in enumerate(blocks) for layer in block.modules())
    (with_a_queue if way == QUEUE else without_memory)(moved, monkeypatch)
    prompt = [[torch.zeros(1, 1, 1), {}]]
    patched = attach(model, METHOD, moved.reports.append, on_evaluation=moved.begin)
    comfy.sample.sample(patched, tiny.noise(), 4, 1., "euler", "simple", prompt, prompt, torch.zeros(1, *tiny.latent),
                        disable_pbar=True, seed=4)
    report, = moved.reports
    assert [evaluation.reuse is not None for evaluation in report.evaluations] == [False, True, False, True]
    span = report.evaluations[1].reuse.span
    for full, reused in ((0, 1), (2, 3)):
        assert all(moved.evaluations[full][block] > 0 for block in range(len(blocks)))
        assert all(moved.evaluations[reused][block] == 0 for block in span)
        assert all(moved.evaluations[reused][block] == moved.evaluations[full][block]
                   for block in range(len(blocks)) if block not in span)
        assert moved.evaluations[reused][None] == moved.evaluations[full][None]
    cells[name, way] = f"{len(span)} of {len(blocks)}", moved.of_blocks(0), moved.of_blocks(1)


def test_the_table_in_the_docs(cells):
    if absent := [name for name, _ in MEASURED if ZOO[name].model is None]:
        pytest.skip(f"the table is of a newer ComfyUI: this one does not have {', '.join(absent)}")
    assert list(cells) == MEASURED, "run all of this file: the table is what its tests have measured"
    rows = ["| model | weights are moved | blocks skipped | computed evaluation | reusing evaluation | |",
            "|---|---|---|---|---|---|"]
    for (name, way), (skipped, full, reused) in cells.items():
        rows.append(f"| {name} | {way} | {skipped} | {full:,} B | {reused:,} B | {reused / full:.0%} |")
    check_table(DOCS, "tests/host/engine/test_weight_streaming.py", rows)
