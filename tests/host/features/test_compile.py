"""torch.compile around the model or its blocks, before and after our patch: right, and no more graphs than modes."""

import pytest
import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras.nodes_torch_compile import TorchCompileModel, skip_torch_compile_dict
from torch._dynamo.utils import counters

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.tests.host.features.test_weights import patched_weights
from blockdance.tests.models.tiny import FLUX, PIXART, SD3, sample
from blockdance.tests.trial import OFF, leftovers

BLOCKS = {"PixArtMS": ["blocks"], "OpenAISignatureMMDITWrapper": ["joint_blocks"],
          "Flux": ["double_blocks", "single_blocks"]}
METHODS = [BlockDanceMethod(N=2), DeltaCacheMethod(N=3)]


def compiled(model, whole: bool, backend: str = "eager"):
    """TorchCompileModel, or what packs that compile each block do."""
    diffusion_model = model.model.diffusion_model
    keys = ["diffusion_model"] if whole else [
        f"diffusion_model.{stack}.{number}" for stack in BLOCKS[type(diffusion_model).__name__]
        for number in range(len(diffusion_model.get_submodule(stack)))]
    patched = model.clone(disable_dynamic=True)
    set_torch_compile_wrapper(
        model=patched, backend=backend, keys=keys, options={"guard_filter_fn": skip_torch_compile_dict})
    return patched


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def graphs() -> int:
    assert not any("recompile_limit" in reason for reason in counters["unimplemented"]), "a recompile storm"
    return counters["stats"]["unique_graphs"]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("whole", [True, False], ids=["model", "blocks"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("tiny", [FLUX, SD3, PIXART], ids=["flux", "sd3", "pixart"])
def test_compiled(tiny, first, whole, method):
    check(tiny, first, whole, method)


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_compiled_models(first):
    check(FLUX, first, True, METHODS[1])


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_compiled_blocks(first):
    check(FLUX, first, False, METHODS[1])


def check(tiny, first, whole, method):
    """`first`: our patch comes after the compilation, so that it runs inside of it."""
    model, reports = tiny.build(), []
    expected = sample(attach(model, method), tiny, steps=12)
    if first:
        patched = attach(compiled(model, whole), method, reports.append)
    else:
        patched = compiled(attach(model, method, reports.append), whole)
    assert torch.equal(sample(patched, tiny, steps=12), expected)
    made, report = graphs(), reports[0]
    assert made <= modes(report) if whole else made <= 2 * report.transformer.depth
    assert torch.equal(sample(patched, tiny, steps=12), expected) and graphs() == made, "compiled again"
    assert not leftovers(model)


def modes(report) -> int:
    """Computing alone, storing and replaying: each is a graph."""
    wanted = {evaluation.reuse for evaluation in report.evaluations if evaluation.reuse}
    return 2 + len(wanted)


def test_compiled_without_reuse():
    model = FLUX.build()
    patched = attach(compiled(model, whole=True), OFF)
    assert torch.equal(sample(patched, FLUX), sample(model, FLUX)) and graphs() == 1


@pytest.mark.slow
def test_conditions_apart_share_their_graphs():
    """Two passes an evaluation, of two lengths."""
    patched = attach(compiled(FLUX.build(), whole=True), METHODS[1])
    expected = sample(attach(FLUX.build(), METHODS[1]), FLUX, negative_tokens=7)
    assert torch.equal(sample(patched, FLUX, negative_tokens=7), expected)
    assert graphs() <= 2 * 3


@pytest.mark.slow
@pytest.mark.parametrize("tiny", [SD3, FLUX], ids=["sd3", "flux"])
def test_inductor(tiny):
    """The node itself; its kernels round differently."""
    model = tiny.build()
    patched = attach(TorchCompileModel.execute(model, "inductor")[0], METHODS[0])
    torch.testing.assert_close(sample(patched, tiny, steps=12), sample(attach(model, METHODS[0]), tiny, steps=12),
                               rtol=1e-3, atol=1e-3)
    assert graphs() <= 3


def test_a_lora_has_its_effect_in_a_compiled_model():
    model = patched_weights(FLUX.build())
    expected = sample(attach(model, METHODS[1]), FLUX)
    assert not torch.allclose(expected, sample(attach(FLUX.build(), METHODS[1]), FLUX), atol=1e-3)
    assert torch.equal(sample(attach(compiled(model, whole=True), METHODS[1]), FLUX), expected)
