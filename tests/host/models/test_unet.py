"""Delta-Cache and DeepCache on ComfyUI's U-Nets: exactness, skip connections, ControlNet, patches, counts, cost."""

from dataclasses import replace

import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import Upsample, forward_timestep_embed
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from comfy_extras.nodes_freelunch import FreeU, FreeU_V2
from comfy_extras.nodes_model_downscale import PatchModelAddDownscale

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.unet import UNETS
from blockdance.blockdance_core.engine.interception import Interception, Recorder, Replay
from blockdance.blockdance_core.engine.macs import count
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.unet import UNetMethod
from blockdance.blockdance_core.plan.plan import Kind, Reuse
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.tests.models import full_size
from blockdance.tests.models.tiny import PIXART, Tiny, apply_model, sample
from blockdance.tests.models.unets import SD, XL


@pytest.fixture(params=[SD, XL], ids=["sd15", "sdxl"])
def tiny(request) -> Tiny:
    return request.param


@pytest.fixture
def model(tiny):
    return tiny.build()


def reuses(model) -> list[tuple[int, Reuse]]:
    """Every depth and what it reuses, in both modes."""
    unet = UNETS.transformer_of(model.model.diffusion_model)
    return [(depth, UNetMethod(depth=depth, mode=mode).reuse(unet))
            for depth in range(1, unet.deepest + 1) for mode in Kind
            if mode is Kind.FEATURE or unet.has_delta(depth)]


def record(model, tiny: Tiny, reuse: Reuse, **how):
    recorder = Recorder(UNETS.chain_of(model.model.diffusion_model), reuse)
    with Interception(UNETS.chain_of(model.model.diffusion_model), recorders=(recorder,)):
        output = apply_model(model, tiny, **how)
    return recorder.stored(), output


def replay(model, tiny: Tiny, reuse: Reuse, stored, **how):
    chain = UNETS.chain_of(model.model.diffusion_model)
    with Interception(chain, Replay(chain, reuse, stored)) as interception:
        output = apply_model(model, tiny, **how)
    assert interception.executed == len(chain.blocks) - len(reuse.span)
    return output


def test_the_depths(model, tiny):
    found = {mode: [depth for depth, reuse in reuses(model) if reuse.kind is mode] for mode in Kind}
    deepest = 12 if tiny is SD else 9
    assert found[Kind.FEATURE] == list(range(1, deepest + 1))
    assert found[Kind.DELTA] == [1, 2, 5, *range(8, deepest + 1)]


@pytest.mark.parametrize("with_control", [False, True], ids=["plain", "control"])
def test_replaying_a_pass_reproduces_it(model, tiny, with_control, caplog):
    def how() -> dict:
        return {"control": tiny.control() if with_control else None}
    full = apply_model(model, tiny, **how())
    for depth, reuse in reuses(model):
        stored, output = record(model, tiny, reuse, **how())
        assert torch.equal(output, full), f"recording depth {depth} changed the result"
        for repetition in range(2):
            replayed = replay(model, tiny, reuse, stored, **how())
            if reuse.kind is Kind.FEATURE:
                assert torch.equal(replayed, full), f"depth {depth}, repetition {repetition}"
            else:
                torch.testing.assert_close(replayed, full, rtol=1e-4, atol=1e-5, msg=f"{depth}, {repetition}")
    assert not caplog.records
    assert not any("forward" in layer.__dict__ for layer in model.model.diffusion_model.modules())


def outermost(diffusion_model, depth: int, reuse: Reuse, stored, control: dict):
    """A cached step written out by hand: the outermost blocks, with this step's skips, around what was stored."""
    def forward(x, timesteps, context, y=None, **_):
        emb = diffusion_model.time_embed(timestep_embedding(timesteps, diffusion_model.model_channels))
        if y is not None:
            emb = emb + diffusion_model.label_emb(y)
        skips, h = [], x
        for block, residual in zip(diffusion_model.input_blocks[:depth], reversed(control["input"])):
            h = forward_timestep_embed(block, h, emb, context, {})
            h = h if residual is None else h + residual
            skips.append(h)
        (inside,), = stored.hidden.values()
        h = inside if reuse.kind is Kind.FEATURE else h + inside
        if depth == len(diffusion_model.input_blocks):  # only the middle block was skipped, its residual comes after it
            h = h + control["middle"][0]
        for number, block in reversed(list(enumerate(reversed(diffusion_model.output_blocks[-depth:])))):
            skip = skips.pop() + control["output"][number]
            h = forward_timestep_embed(block, torch.cat([h, skip], 1), emb, context, {},
                                       skips[-1].shape if skips else None)
        return diffusion_model.out(h)
    return forward


def test_a_cached_step_uses_its_own_skip_connections(model, tiny, monkeypatch):
    diffusion_model = model.model.diffusion_model
    for depth, reuse in reuses(model):
        stored, _ = record(model, tiny, reuse, percent=.5, control=tiny.control())
        replayed = replay(model, tiny, reuse, stored, percent=.8, control=tiny.control())
        with monkeypatch.context() as patch:
            patch.setattr(diffusion_model, "forward", outermost(diffusion_model, depth, reuse, stored, tiny.control()))
            expected = apply_model(model, tiny, percent=.8)
        torch.testing.assert_close(replayed, expected, rtol=1e-5, atol=1e-6, msg=f"{reuse.kind}, depth {depth}")


def block_patches(model) -> dict[str, dict]:
    """Popular patches that work between the blocks of a U-Net, as transformer options."""
    patched = {"FreeU": FreeU.execute(model, 1.1, 1.2, .9, .2), "FreeU V2": FreeU_V2.execute(model, 1.3, 1.4, .9, .2),
               "shrink": PatchModelAddDownscale.execute(model, 3, 2., 0., .35, True, "bicubic", "bicubic"),
               "shrink skips": PatchModelAddDownscale.execute(model, 2, 2., 0., .35, False, "bicubic", "bicubic")}
    return {name: {"patches": output[0].model_options["transformer_options"]["patches"]}
            for name, output in patched.items()}


def test_patches_between_the_blocks(model, tiny, caplog):
    for name, options in block_patches(model).items():
        # Made for the sizes of the skip connections, residuals do not fit a shrunk picture; ComfyUI warns of that
        with_control = "shrink" not in name

        def how() -> dict:
            return {"percent": .2, "options": options, "control": tiny.control() if with_control else None}
        full = apply_model(model, tiny, **how())
        assert not torch.equal(full, apply_model(model, tiny, **how() | {"options": {}})), f"{name} does nothing"
        for depth, reuse in reuses(model):
            stored, _ = record(model, tiny, reuse, **how())
            if stored is None:  # shrunk inside the span and enlarged behind it
                assert (name, depth, reuse.kind) == ("shrink skips", 2, Kind.DELTA)
                continue
            replayed = replay(model, tiny, reuse, stored, **how())
            torch.testing.assert_close(replayed, full, rtol=1e-4, atol=1e-4, msg=f"{name}, {reuse.kind}, {depth}")
    assert not caplog.records


@pytest.mark.parametrize("mode", Kind)
def test_a_picture_that_grows_in_mid_run(mode):
    """Deep Shrink ends at 35 %: what was stored before fits no longer and must be computed."""
    model, reports = SD.build(), []
    shrunk = PatchModelAddDownscale.execute(model, 3, 2., 0., .35, True, "bicubic", "bicubic")[0]
    picture = sample(attach(shrunk, UNetMethod(N=2, depth=5, mode=mode, start=.1), reports.append, UNETS), SD, steps=9)
    assert torch.isfinite(picture).all()
    assert [e.step for e in reports[0].evaluations if e.misses] == [4]


def test_a_layer_that_a_patch_computes_itself():
    """Nothing can be stored then, which costs speed, never the picture."""
    model, reports = SD.build(), []

    def upsample(layer, x, *_):
        return layer.conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    model.set_model_patch((Upsample, upsample), "forward_timestep_embed_patch")
    even = replace(SD, latent=(4, 16, 16))
    full = sample(model, even)
    patched = attach(model, UNetMethod(depth=3, mode=Kind.FEATURE), reports.append, UNETS)
    assert torch.equal(sample(patched, even), full)
    assert "could not be stored" in reports[0].line()


OFF = {"N=1": UNetMethod(N=1), "empty window": UNetMethod(start=.5, end=.5),
       "window after the last step": UNetMethod(start=.99)}


@pytest.mark.parametrize("method", OFF.values(), ids=OFF.keys())
def test_without_reuse_nothing_changes(model, tiny, method):
    reports = []
    full = sample(model, tiny)
    assert torch.equal(sample(attach(model, method, reports.append, UNETS), tiny), full)
    assert reports[0].executed == reports[0].total and reports[0].plan.note


@pytest.mark.parametrize("mode", Kind)
def test_the_model_is_untouched_afterwards(model, tiny, mode):
    before = sample(model, tiny)
    patched = attach(model, UNetMethod(mode=mode), family=UNETS)
    changed = sample(patched, tiny)
    assert not torch.equal(changed, before)
    assert torch.equal(sample(model, tiny), before)
    assert torch.equal(sample(patched, tiny), changed), "a second run differs from the first"
    assert not any("forward" in layer.__dict__ for layer in model.model.diffusion_model.modules())


@pytest.mark.parametrize("method, reused", [
    (UNetMethod(N=2), (1, 3, 5, 7)), (UNetMethod(N=3, depth=1), (1, 2, 4, 5)),
    (UNetMethod(N=2, depth=5, start=.5), (5, 7)), (UNetMethod(N=2, depth=3, mode=Kind.FEATURE, end=.5), (1, 3))])
def test_executed_layers_are_those_of_the_plan(model, tiny, method, reused):
    counted, reports = [], []
    layers = UNETS.chain_of(model.model.diffusion_model).blocks
    for layer in layers:
        inside = next((module for module in layer.modules() if module is not layer), layer)
        inside.register_forward_hook(lambda *_: counted.append(1))
    sample(attach(model, method, reports.append, UNETS), tiny)
    report, = reports
    assert report.plan.reused_steps == reused
    assert report.executed == len(counted) == report.plan.computed_blocks(len(layers))
    assert report.misses == 0 and not report.failures and report.cache_bytes > 0


def test_cond_and_uncond_in_one_call_or_two(model, tiny, monkeypatch):
    patched = attach(model, UNetMethod(), (reports := []).append, UNETS)
    together = sample(patched, tiny)
    monkeypatch.setattr(type(model), "get_free_memory", lambda self, device: 0)
    apart = sample(patched, tiny)
    torch.testing.assert_close(apart, together, rtol=1e-2, atol=1e-2)
    assert [e.passes for e in reports[1].evaluations] == [2] * 8
    assert reports[1].executed == 2 * reports[0].executed and reports[1].misses == 0


def test_what_does_not_fit_is_refused():
    model = SD.build()
    for wrong, message in [
            (UNetMethod(depth=13), r"depth is 13.*12 .*1 to 12"),
            (UNetMethod(depth=3), r"depth is 3.*32 channels.*64.*1, 2, 5, 8, 9, 10, 11, 12.*feature")]:
        with pytest.raises(ValueError, match=message):
            attach(model, wrong, family=UNETS)
    for wrong in ({"depth": 0}, {"mode": "delta"}, {"N": 11}, {"start": -.1}):
        with pytest.raises(ValueError, match=rf"{list(wrong)[0]} is .*use "):
            UNetMethod(**wrong)
    with pytest.raises(ValueError, match=r"PixArtMS.*U-Net.*BlockDance Patch"):
        attach(PIXART.build(), UNetMethod(), family=UNETS)
    with pytest.raises(ValueError, match=r"UNetModel.*Delta-Cache Patch \(U-Net\)"):
        attach(model, BlockDanceMethod())


@pytest.mark.parametrize("mode", Kind)
def test_published_macs(mode):
    """Delta-DiT, table 11, in tera: 20 steps with cond and uncond, linear layers and convolutions."""
    model, unet = full_size.sd15()
    cost = model.cost(linear_only=True)
    run = UNetMethod(mode=mode).plan(Schedule(tuple(range(20, -1, -1)), lambda percent: 20 * (1 - percent)), unet)
    assert run.reused_steps == tuple(range(1, 20, 2))
    assert 20 * cost.total / 1e12 == pytest.approx(13.553, rel=1e-3)
    assert full_size.macs_of(run, cost) / 1e12 == pytest.approx(7.923, rel=1e-3)
    assert 20 * cost.total / full_size.macs_of(run, cost) == pytest.approx(1.71, rel=1e-3)

    reuse = run.decisions[1].reuse
    recorder = Recorder(model.chain, reuse)
    with Interception(model.chain, recorders=(recorder,)):
        model.forward()
    with Interception(model.chain, Replay(model.chain, reuse, recorder.stored())):
        cached = count(model.forward, (), linear_only=True)
    assert 10 * (cost.total + cached.total) == full_size.macs_of(run, cost), "a cached step is not what was planned"
