"""Every transformer that ComfyUI ships, replayed from the cache and sampled.

What passes here is the table in docs/architectures.md: with the variable BLOCKDANCE_WRITE_DOCS set it is written, else
compared.
"""

import importlib
import inspect
import re
from collections import defaultdict
from itertools import accumulate

import comfy.conds
import comfy.model_base
import comfy.sample
import pytest
import torch

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import ARCHITECTURES, NO_TRANSFORMERS, chain_of
from blockdance.blockdance_core.engine.blocks import Chain
from blockdance.blockdance_core.engine.interception import Interception, Recorder, Replay
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.plan.plan import Kind, Reuse, Span
from blockdance.tests.documents import ROOT, check_table
from blockdance.tests.models.tiny import Tiny, apply_model
from blockdance.tests.models.zoo import AUDIO_AND_3D, NEWER, VIDEO, ZOO

DOCS = ROOT / "docs" / "architectures.md"
METHODS = {"BlockDance": BlockDanceMethod(start=.2), "Delta-Cache": DeltaCacheMethod()}
# ComfyUI itself cannot compute these with cond and uncond in one call
APART = ("Flux.2 with a reference", "MiniMax-H3")


@pytest.fixture(scope="module", params=ZOO)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return ZOO[name].build()


@pytest.fixture(scope="module")
def cells() -> dict[str, dict[str, str]]:
    """Model to column to what has been shown; filled by the tests that pass."""
    return defaultdict(dict)


def spans(chain: Chain) -> list[Span]:
    """Single blocks, the methods' usual spans, the whole chain, and some across each border of two stacks."""
    last = len(chain.blocks) - 1
    ends = {(0, 0), (last // 2, last // 2), (last, last), (0, 3 * last // 4), (1, last - 1), (0, last)}
    for border in set(accumulate(chain.stacks)) - {last + 1}:
        ends |= {(border - 1, border), (0, border), (border - 1, last)}
    return [Span(*pair) for pair in sorted(ends)]


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_replaying_a_pass_reproduces_it(name, model, cells, kind):
    tiny, chain = ZOO[name], chain_of(model.model.diffusion_model)
    reuses = [Reuse(span, kind) for span in spans(chain)]
    cells[name]["class"] = type(model.model.diffusion_model).__name__
    apply_model(model, tiny)  # HiDream-O1 rounds otherwise as long as it has no keys and values of the prompt
    for residuals in (dict, tiny.control) if tiny.control() else (dict,):
        full = apply_model(model, tiny, control=residuals() or None)
        assert torch.isfinite(full).all()
        recorders = tuple(Recorder(chain, reuse) for reuse in reuses)
        with Interception(chain, recorders=recorders) as interception:
            assert torch.equal(apply_model(model, tiny, control=residuals() or None), full)
        assert interception.executed == len(chain.blocks)
        for reuse, recorder in zip(reuses, recorders):
            stored = recorder.stored()
            if refusal := chain.refusal(reuse.span):
                assert stored is None and recorder.failure == refusal
                continue
            assert stored is not None, recorder.failure
            for repetition in range(2):  # a second time, because the first may have damaged what is stored
                with Interception(chain, Replay(chain, reuse, stored)) as interception:
                    replayed = apply_model(model, tiny, control=residuals() or None)
                assert interception.executed == len(chain.blocks) - len(reuse.span)
                tolerance = dict(rtol=0., atol=0.) if kind is Kind.FEATURE else dict(rtol=1e-4, atol=1e-5)
                torch.testing.assert_close(
                    replayed, full, **tolerance,
                    msg=lambda difference: f"{reuse.span}, {residuals}, repetition {repetition}: {difference}")
    exact = "exact" if kind is Kind.FEATURE else "exact to rounding"
    cells[name][kind.value] = exact + (", not all blocks at once" if chain.needs_a_block else "")
    cells[name]["control"] = "yes" if tiny.control() else "takes none"


def conditioned(tiny: Tiny, monkeypatch, model) -> None:
    """Let ComfyUI give the model what the tiny instance is called with, whatever the prompt says."""
    def condition(value) -> comfy.conds.CONDRegular:
        if isinstance(value, torch.Tensor):
            return comfy.conds.CONDRegular(value)
        tensors = isinstance(value, list) and isinstance(value[0], torch.Tensor)
        return (comfy.conds.CONDList if tensors else comfy.conds.CONDConstant)(value)

    def extra_conds(prompt_type: str, **_) -> dict:
        inputs = tiny.inputs(seed=2 if prompt_type == "positive" else 20)
        return {key: condition(value) for key, value in inputs.items()}
    monkeypatch.setattr(model.model, "extra_conds", extra_conds)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_executes_the_blocks_of_its_plan(name, model, cells, method, monkeypatch):
    tiny, reports = ZOO[name], []
    conditioned(tiny, monkeypatch, model)
    if name in APART:
        monkeypatch.setattr(type(model), "get_free_memory", lambda self, device: 0)
    prompt = [[torch.zeros(1, 1, 1), {}]]
    picture = comfy.sample.sample(attach(model, METHODS[method], reports.append), tiny.noise(), 6, 3., "euler",
                                  "simple", prompt, prompt, torch.zeros(1, *tiny.latent), disable_pbar=True, seed=4)
    report, = reports
    passes = {evaluation.passes for evaluation in report.evaluations}
    assert torch.isfinite(picture).all() and passes == {2 if name in APART else 1}
    assert report.executed == passes.pop() * report.plan.computed_blocks(report.transformer.depth) < report.total
    assert report.misses == 0 and not report.failures
    cells[name][method] = "as planned"


def host_classes() -> dict[str, type]:
    """The diffusion models of ComfyUI's own model classes."""
    source = inspect.getsource(comfy.model_base)
    found = {}
    for path in re.findall(r"unet_model=([\w.]+)", source):
        module, _, name = path.rpartition(".")
        owner = importlib.import_module(module) if module else comfy.model_base
        if inspect.isclass(getattr(owner, name, None)):
            found[name] = getattr(owner, name)
    return found


def test_every_class_of_comfyui_is_in_the_table():
    assert len(host_classes()) > 40
    for name, diffusion_model in host_classes().items():
        ancestors = {ancestor.__name__ for ancestor in diffusion_model.__mro__}
        assert ancestors & {*ARCHITECTURES, *NO_TRANSFORMERS, "UNetModel"}, name


def test_the_table_in_the_docs(cells):
    models = [name for name in ZOO if name not in NEWER]
    if absent := [name for name in models if ZOO[name].model is None]:
        pytest.skip(f"the table is of a newer ComfyUI: this one does not have {', '.join(absent)}")
    assert [name for name in cells if name not in NEWER] == models, \
        "run all of this file: the table is what its tests have shown"
    shown = {cell["class"] for cell in cells.values()}
    assert set(host_classes()) - set(NO_TRANSFORMERS) - {"UNetModel"} <= shown, "a class without a tiny instance"
    rows = ["| model | class in ComfyUI | latent | feature (BlockDance) | delta (Delta-Cache) | ControlNet | "
            "BlockDance run | Delta-Cache run |", "|---|---|---|---|---|---|---|---|"]
    for name in models:
        cell = cells[name]
        latent = "video" if name in VIDEO else "sound or 3D" if name in AUDIO_AND_3D else "picture"
        rows.append("| " + " | ".join([name, f"`{cell['class']}`", latent, *(
            cell.get(column, "fails") for column in ("feature", "delta", "control", *METHODS))]) + " |")
    check_table(DOCS, "tests/host/models/test_architectures.py", rows)
