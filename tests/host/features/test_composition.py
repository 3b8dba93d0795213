"""What people put on a model beside a node of this pack, before it and after it: what works, what is said.

What passes here is a table in docs/compatibility.md: with the variable BLOCKDANCE_WRITE_DOCS set it is written, else
compared.
"""

from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Callable, ContextManager, Iterator

import comfy.cli_args
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_cfg import CFGZeroStar
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfy_extras.nodes_model_merging import ModelMergeSimple
from comfy_extras.nodes_nag import NAGuidance
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.engine.report import Report
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.tests.documents import ROOT, check_table
from blockdance.tests.host.features.test_compile import compiled
from blockdance.tests.host.features.test_control import controlled
from blockdance.tests.host.features.test_weights import bypassed, patched_weights
from blockdance.tests.models.tiny import FLUX, Tiny, sample
from blockdance.tests.trial import OFF, distance

DOCS = ROOT / "docs" / "compatibility.md"
METHODS = {"blocks": DeltaCacheMethod(N=2, n_cached=4), "Auto": AutoMethod(2., lambda *_: None, general)}
STEPS = 10


def attending(model: ModelPatcher) -> ModelPatcher:
    """As IP-Adapters and style references do it: more tokens before the blocks, and more in attention's output."""
    def more_tokens(args):
        return args | {"txt": torch.cat([args["txt"], args["txt"][:, :2]], 1),
                       "txt_ids": torch.cat([args["txt_ids"], args["txt_ids"][:, :2]], 1)}

    def of_attention(out, extra_options):
        return out + .1 * out.mean(1, keepdim=True)
    patched = model.clone()
    patched.set_model_post_input_patch(more_tokens)
    patched.set_model_attn1_output_patch(of_attention)
    return patched


class Dequantised(torch.nn.Module):
    """A linear layer whose weights are stored in one byte each, with a scale per row, as those of GGUF files are."""

    def __init__(self, linear: torch.nn.Linear):
        super().__init__()
        self.scale = torch.nn.Parameter(linear.weight.detach().abs().amax(1, keepdim=True) / 127, requires_grad=False)
        self.register_buffer("packed", (linear.weight.detach() / self.scale).round().to(torch.int8))
        self.bias = linear.bias

    def forward(self, x):
        return torch.nn.functional.linear(x, self.packed * self.scale, self.bias)


def dequantised(model: ModelPatcher) -> ModelPatcher:
    diffusion_model = model.model.diffusion_model
    for path, layer in list(diffusion_model.named_modules()):
        if isinstance(layer, torch.nn.Linear):
            parent, _, name = path.rpartition(".")
            setattr(diffusion_model.get_submodule(parent), name, Dequantised(layer))
    return model


def halved(model: ModelPatcher) -> ModelPatcher:
    model.model.diffusion_model.to(torch.float16)
    model.model.diffusion_model.dtype = torch.float16
    return model


@contextmanager
def fast() -> Iterator[None]:
    matmul, arguments = torch.backends.cuda.matmul, comfy.cli_args.args
    before = matmul.allow_fp16_accumulation, arguments.fast
    matmul.allow_fp16_accumulation, arguments.fast = True, set(getattr(comfy.cli_args, "PerformanceFeature", ()))
    try:
        yield
    finally:
        matmul.allow_fp16_accumulation, arguments.fast = before


@dataclass(frozen=True)
class Companion:
    """Something beside our node. node: what its node does to a MODEL; build: what is done when the model is loaded;
    process: around all of it; positive: the prompt that it needs."""
    node: Callable[[ModelPatcher], ModelPatcher] | None = None
    build: Callable[[ModelPatcher], ModelPatcher] = lambda model: model
    process: Callable[[], ContextManager] = nullcontext
    positive: Callable[[Tiny], list] = lambda tiny: tiny.conditioning(10)


COMPANIONS = {
    "TorchCompileModel": Companion(partial(compiled, whole=True)),
    "LoRAs, two on top of each other": Companion(lambda model: patched_weights(patched_weights(model))),
    "LoRA in bypass mode": Companion(bypassed),
    "ControlNet": Companion(positive=controlled),
    "patches like those of IP-Adapters (a stand-in: more tokens, attention patches)": Companion(attending),
    "NAG": Companion(lambda model: NAGuidance.execute(model, 5., .5, 1.5)[0]),
    "SLG": Companion(lambda model: SkipLayerGuidanceDiT.execute(model, 2., 0., .7, "1, 4", "1, 2")[0]),
    "PAG": Companion(lambda model: PerturbedAttentionGuidance.execute(model, 2.)[0]),
    "CFG-Zero*": Companion(lambda model: CFGZeroStar.execute(model)[0]),
    "layers like those of GGUF files (a stand-in: they unpack their weights)": Companion(build=dequantised),
    "a model in fp16": Companion(build=halved),
    "`--fast`, fp16 accumulation included": Companion(process=fast),
}


@pytest.fixture(scope="module")
def cells() -> dict[str, dict[str, str]]:
    """Companion to column to what has been shown; filled by the tests that pass."""
    return defaultdict(dict)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("name", COMPANIONS)
def test_together(name, kind, place, cells):
    companion, method = COMPANIONS[name], METHODS[kind]
    if place == "after" and companion.node is None:
        cells[name][f"{kind} after"] = "no node"
        return
    node = companion.node or (lambda model: model)
    sampling = partial(sample, tiny=FLUX, steps=STEPS, positive=companion.positive(FLUX))
    reports = []
    with companion.process():
        model = companion.build(FLUX.build())

        def patched(chosen, listener=None) -> ModelPatcher:
            if place == "before":
                return attach(node(model), chosen, listener)
            return node(attach(model, chosen, listener))
        full = sampling(node(model))
        assert torch.equal(sampling(patched(OFF)), full)
        picture = sampling(patched(method, reports.append))
    report, = reports
    assert torch.isfinite(picture).all() and 0 < distance(picture, full) < .5
    assert report.executed < report.total and not report.failures and not report.notes
    assert kind == "blocks" or report.reused == STEPS // 2, "as many as without the other"
    cells[name][f"{kind} {place}"] = "works"


def with_cache(cache: type, model: ModelPatcher) -> ModelPatcher:
    """Of the host, with a threshold at which it leaves something to skip to others."""
    return cache.execute(model, .1, .1, .9, False)[0]


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("cache", [EasyCacheNode, LazyCacheNode], ids=["EasyCache", "LazyCache"])
def test_another_cache_is_said(cache, kind, place, cells):
    """It skips the model at some steps; which of the two decides first is up to their order."""
    model, reports = FLUX.build(), []
    if place == "before":
        patched = attach(with_cache(cache, model), METHODS[kind], reports.append)
    else:
        patched = with_cache(cache, attach(model, METHODS[kind], reports.append))
    sample(patched, FLUX, steps=16)
    report, = reports
    assert not report.failures and report.executed < report.total and "another cache" in report.line()
    cells[cache.__name__.removesuffix("Node")][f"{kind} {place}"] = "errors add up, which the report says"


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("cache", [EasyCacheNode, LazyCacheNode], ids=["EasyCache", "LazyCache"])
def test_auto_does_not_measure_what_another_cache_made(cache, place):
    saved, reports = [], []
    auto = AutoMethod(2., lambda *_: None, general, lambda *found: saved.append(found) or "saved")

    model = FLUX.build()
    patched = attach(with_cache(cache, model), auto, reports.append) if place == "before" else with_cache(
        cache, attach(model, auto, reports.append))
    sample(patched, FLUX, steps=16)
    assert not saved, "outputs that are not the model's own"
    sample(attach(model, auto, reports.append), FLUX, steps=16)
    assert len(saved) == 1, "without the other cache it measures"


@pytest.mark.parametrize("kind", METHODS)
def test_a_patch_on_the_second_model_of_a_merge_is_dropped(kind, cells):
    """ComfyUI takes the weights of the second model and nothing else; after the merge, or on the first, it is kept."""
    first, second, reports = FLUX.build(), FLUX.build(), []

    def merged(one: ModelPatcher, two: ModelPatcher) -> ModelPatcher:
        return ModelMergeSimple().merge(one, two, .5)[0]
    full = sample(merged(first, second), FLUX, steps=STEPS)
    dropped = merged(first, attach(second, METHODS[kind], reports.append))
    assert torch.equal(sample(dropped, FLUX, steps=STEPS), full)
    assert not reports and last_report(dropped) is None
    pictures = [sample(model, FLUX, steps=STEPS) for model in (
        merged(attach(first, METHODS[kind], reports.append), second),
        attach(merged(first, second), METHODS[kind], reports.append))]
    assert torch.equal(*pictures) and len(reports) == 2
    assert all(isinstance(report, Report) and report.executed < report.total for report in reports)
    cells["a merge of two models"] |= {
        f"{kind} before": "works after the merge", f"{kind} after": "on the first model; one on the second is dropped"}


def test_the_table_in_the_docs(cells):
    names = [*COMPANIONS, "EasyCache", "LazyCache", "a merge of two models"]
    assert set(cells) == set(names), "run all of this file: the table is what its tests have shown"
    rows = ["| with | blocks reused, our node behind | the same, in front | Auto behind | Auto in front |",
            "|---|---|---|---|---|"]
    columns = [f"{kind} {place}" for kind in METHODS for place in ("before", "after")]
    rows += ["| " + " | ".join([name, *(cells[name].get(column, "fails") for column in columns)]) + " |"
             for name in names]
    check_table(DOCS, "tests/host/features/test_composition.py", rows)
