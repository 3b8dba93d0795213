"""What single architectures do beside handing a hidden state from block to block."""

import comfy.sample
import comfy.samplers
import pytest
import torch

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.blockdance_core.engine.interception import Interception, Recorder, Replay
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.plan.plan import Kind, Reuse, Span
from blockdance.tests.host.models.test_architectures import conditioned
from blockdance.tests.models.tiny import apply_model
from blockdance.tests.models.zoo import ZOO


def record(model, tiny, reuse: Reuse) -> Recorder:
    chain = chain_of(model.model.diffusion_model)
    recorder = Recorder(chain, reuse)
    with Interception(chain, recorders=(recorder,)):
        apply_model(model, tiny)
    return recorder


@pytest.mark.parametrize("name, last, outlets", [
    ("HunyuanDiT", 5, {0, 1, 5}), ("HunyuanDiT", 7, {7}), ("HunyuanDiT", 0, {0}),
    ("Hunyuan3D 2.1", 4, {0, 1, 4}), ("Hunyuan3D 2.1", 3, {0, 1, 2, 3}), ("PixArt-Sigma", 5, {5})])
@pytest.mark.parametrize("kind", Kind)
def test_long_skips_store_the_outputs_that_are_read_again(name, last, outlets, kind):
    model = ZOO[name].build()
    stored = record(model, ZOO[name], Reuse(Span(0, last), kind)).stored()
    assert set(stored.hidden) == outlets
    one, = stored.hidden[last]
    assert stored.bytes == len(outlets) * one.untyped_storage().nbytes()


@pytest.mark.parametrize("kind", Kind)
def test_integers_in_the_hidden_state_are_kept(kind):
    """A forecast must not scale the sizes of SeedVR2's videos."""
    model = ZOO["SeedVR2"].build()
    stored = record(model, ZOO["SeedVR2"], Reuse(Span(0, 2), kind)).stored()
    *_, sizes, words = stored.hidden[2]
    assert sizes.tolist() == [[2, 8, 8]] and words.tolist() == [[58]]


@pytest.mark.parametrize("kind", Kind)
def test_the_pass_that_collects_keys_and_values_is_computed(kind):
    """HiDream-O1 on its first pass of a prompt, also where that pass has been stored already."""
    tiny = ZOO["HiDream-O1"]
    model = tiny.build()
    diffusion_model = model.model.diffusion_model
    chain, reuse = chain_of(diffusion_model), Reuse(Span(0, 2), kind)
    cold = record(model, tiny, reuse).stored()
    hot = record(model, tiny, reuse).stored()
    full = apply_model(model, tiny)
    for stored, executed in ((cold, 4), (hot, 1)):
        with Interception(chain, Replay(chain, reuse, stored)) as interception:
            torch.testing.assert_close(apply_model(model, tiny), full)
        assert interception.executed == executed
    for stored in (cold, hot):
        diffusion_model.clear_kv_cache()
        with Interception(chain, replay := Replay(chain, reuse, stored)) as interception:
            torch.testing.assert_close(apply_model(model, tiny), full, rtol=1e-4, atol=1e-5)
        assert replay.refused and interception.executed == 4


@pytest.mark.parametrize("method", [DeltaCacheMethod(), AutoMethod(2., lambda *_: None, general)],
                         ids=lambda method: method.name)
def test_frames_made_one_after_the_other_are_computed(method, monkeypatch):
    tiny, reports = ZOO["Wan causal"], []
    model = tiny.build()
    conditioned(tiny, monkeypatch, model)
    sampler = comfy.samplers.ksampler("ar_video")
    prompt = [[torch.zeros(1, 1, 1), {}]]

    def run(patcher) -> torch.Tensor:
        return comfy.sample.sample_custom(patcher, tiny.noise(), 1., sampler, torch.linspace(1, 0, 9),
                                          prompt, prompt, torch.zeros(1, *tiny.latent), disable_pbar=True, seed=4)
    assert torch.equal(run(attach(model, method, reports.append)), run(model))
    report, = reports
    assert report.executed == report.total > 0
    assert len(report.failures) == 1 and "frames are made one after the other" in report.failures[0]
