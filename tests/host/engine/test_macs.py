"""The multiply-accumulates in a report are those that the model has executed."""

from dataclasses import replace
from pathlib import Path

import comfy.ldm.modules.attention
import comfy.ops
import pytest
import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from blockdance.blockdance_core.comfy import passes as passes_module
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.unet import UNETS
from blockdance.blockdance_core.comfy.uncounted import unseen_linear
from blockdance.blockdance_core.engine.macs import MacCounter
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.unet import UNetMethod
from blockdance.demo import model as demo
from blockdance.demo import world
from blockdance.tests.models.tiny import FLUX, PIXART, Tiny, sample
from blockdance.tests.models.unets import SD

WEIGHTS = Path(demo.__file__).with_name("weights") / "pixart.safetensors"


def spent(model, tiny: Tiny, **sampling) -> int:
    """What torch's own counter finds in a sampling."""
    def on_cpu(query, key, value, *_, out_shape=None, **__) -> int:
        return sdpa_flop_count(query, key, value)
    kernels = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: on_cpu}
    with FlopCounterMode(display=False, custom_mapping=kernels) as counter:
        sample(model, tiny, **sampling)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("inference", [True, False], ids=["inference", "no_grad"])
@pytest.mark.parametrize("method", [BlockDanceMethod(N=3), DeltaCacheMethod(N=2, first_block=1, n_cached=2)],
                         ids=lambda method: method.name)
def test_they_are_what_torch_counts(model, tiny, method, inference):
    with torch.inference_mode(inference):
        full = spent(model, tiny)
        patched = attach(model, method)
        executed = spent(patched, tiny)
    report = last_report(patched)
    assert (report.macs, report.total_macs) == (executed, full) and executed < full
    assert not report.uncounted


def test_those_of_a_unet():
    model = SD.build()
    full, patched = spent(model, SD), attach(model, UNetMethod(), family=UNETS)
    assert (spent(patched, SD), full) == (last_report(patched).macs, last_report(patched).total_macs)


def test_those_of_the_demo():
    """By hand: a PixArt of width 128 and depth 28 on 12 x 12 patches of 4 x 4 x 3 numbers, cond and uncond together."""
    width, depth, patches, numbers, steps = 128, 28, 144, 48, 30
    caption = world.TOKENS
    linear = (3 + 1 + 4 + 4) * width ** 2 * patches + 2 * width ** 2 * patches + 2 * width ** 2 * caption
    block = linear + 2 * patches * patches * width + 2 * patches * caption * width
    outside = ((2 * numbers * width) * patches + (256 * width + width ** 2 + 6 * width ** 2)
               + (world.CHANNELS * width + width ** 2) * caption)
    conditioning = [[torch.randn(1, world.TOKENS, world.CHANNELS), {}]]
    tiny = replace(PIXART, latent=(3, 48, 48))
    model = attach(demo.load(WEIGHTS), BlockDanceMethod(N=2))
    sample(model, tiny, steps=steps, positive=conditioning, negative=conditioning)
    report = last_report(model)
    assert report.total_macs == 2 * steps * (depth * block + outside)
    assert report.total_macs - report.macs == 2 * 9 * 21 * block
    assert f"saved {2 * 9 * 21 * block / 1e9:.4g} of" in report.text()


def test_each_kind_of_pass_is_metered_once(monkeypatch):
    meters = []

    class Counted(MacCounter):
        def __init__(self):
            super().__init__()
            meters.append(self)
    monkeypatch.setattr(passes_module, "MacCounter", Counted)
    sample(attach(PIXART.build(), BlockDanceMethod(N=2)), PIXART, steps=12)
    assert len(meters) == 1
    sample(attach(PIXART.build(), BlockDanceMethod(N=2)), PIXART, steps=12, negative_tokens=9)
    assert len(meters) == 3, "prompts of different length take a pass each"


@pytest.mark.parametrize("place", ["wrapper", "block"])
def test_a_compiled_model_is_not_counted_and_says_so(place, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model, **_: model)  # the marks of compilation are enough
    model = PIXART.build()
    if place == "wrapper":
        set_torch_compile_wrapper(model, "eager")
    else:
        model.model.diffusion_model.blocks[3]._compiled_call_impl = model.model.diffusion_model.blocks[3].forward
    model = attach(model, BlockDanceMethod(N=2))
    sample(model, PIXART, steps=4)
    report = last_report(model)
    assert report.total_macs == 0 and "do not include a model that torch.compile" in report.text()


def test_attention_that_torch_does_not_see_is_said(monkeypatch):
    model = attach(FLUX.build(), BlockDanceMethod(N=2))
    monkeypatch.setattr(comfy.ldm.modules.attention.optimized_attention, "__name__", "attention_sage")
    sample(model, FLUX, steps=4)
    assert "MACs do not include attention_sage" in last_report(model).text()


@pytest.mark.parametrize("inference", [True, False], ids=["inference", "no_grad"])
def test_quantised_linear_layers_are_counted(inference):
    kitchen = pytest.importorskip("comfy_kitchen")
    x, weight, scale = torch.randn(3, 64), torch.randint(-127, 127, (32, 64), dtype=torch.int8), torch.tensor(.01)
    quantised = kitchen.tensor.QuantizedTensor.from_float(torch.randn(32, 64), "TensorWiseINT8Layout")
    operators = torch.ops.comfy_kitchen
    for call in (lambda: kitchen.int8_linear(x, weight, scale), lambda: torch.nn.functional.linear(x, quantised),
                 lambda: operators.int8_linear(x, weight, scale, None, 0)):
        with torch.inference_mode(inference), torch.no_grad(), MacCounter() as counter:
            assert call().shape == (3, 32)
        assert (counter.macs, counter.missed) == (3 * 32 * 64, "")


def test_int8_layers_with_a_kernel_of_their_own_are_said(monkeypatch):
    """A stand-in for such a weight on a GPU, where ComfyUI calls the kernel past torch."""
    model = torch.nn.Linear(2, 2, device="meta")
    monkeypatch.setattr(comfy.ops, "linear_input_act", None, raising=False)
    assert unseen_linear([model]) is None
    model.weight._layout_cls = "TensorWiseINT8Layout"
    assert "int8" in unseen_linear([model])


def test_operators_arrive_whole_or_in_parts():
    a, b, picture = torch.randn(2, 3, 5), torch.randn(2, 5, 7), torch.randn(1, 4, 9, 9)
    weight, heads = torch.randn(6, 2, 3, 3), torch.randn(2, 4, 6, 8)
    for inference in (True, False):
        for expected, call in [
                (2 * 3 * 5 * 7, lambda: a @ b),
                (2 * 3 * 5 * 7, lambda: torch.einsum("b i d, b d j -> b i j", a, b)),
                (2 * 3 * 5 * 7, lambda: torch.einsum("...id,...dj->...ij", a, b)),
                (0, lambda: torch.einsum("i,j->ij", a[0, 0], b[0, 0])),
                (2 * 3 * 5 * 7, lambda: torch.baddbmm(torch.zeros(2, 3, 7), a, b)),
                (3 * 5 * 7, lambda: torch.addmm(torch.zeros(7), a[0], b[0])),
                (6 * 49 * 18, lambda: torch.nn.functional.conv2d(picture, weight, groups=2)),
                (4 * 81 * 18, lambda: torch.nn.functional.conv_transpose2d(picture, weight[:4])),
                (2 * 2 * 4 * 6 * 6 * 8, lambda: torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)),
                (0, lambda: a + a)]:
            with torch.inference_mode(inference), torch.no_grad(), MacCounter() as counter:
                call()
            assert counter.macs == expected, (inference, expected)
