"""The papers' tables from the plans and, where ComfyUI has the class, from ComfyUI's own models.

MACs in tera, cond and uncond together, linear layers only, as published.
"""

import pytest

from blockdance.blockdance_core.engine.interception import Interception, Recorder
from blockdance.blockdance_core.methods.presets import PRESETS
from blockdance.blockdance_core.plan.plan import Kind, Plan, Reuse, Span, Transformer
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.tests.models import full_size

TERA = 1e12
EVERY_SECOND = tuple(range(12, 30, 2))
TWO_OF_THREE = (12, 13, 15, 16, 18, 19, 21, 22, 24, 25, 27, 28)
THREE_OF_FOUR = (12, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25, 26, 28, 29)


@pytest.fixture(scope="module")
def pixart():
    return full_size.pixart().cost(linear_only=True)


@pytest.fixture(scope="module")
def sd3():
    return full_size.sd3().cost(linear_only=True)


def plan(preset: str, steps: int, depth: int = 28) -> Plan:
    schedule = Schedule(tuple(1 - step / steps for step in range(steps + 1)), lambda percent: 1. - percent)
    return PRESETS[preset].plan(schedule, Transformer("any", (depth,)))


@pytest.mark.parametrize("steps, published", [(30, 128.47), (20, 85.651), (4, 8.565 * 2)])
def test_pixart_full(pixart, steps, published):
    """The 4-step LCM row is without guidance: one condition instead of two."""
    assert pixart.total * steps / TERA == pytest.approx(published, rel=1e-3)


@pytest.mark.parametrize("preset, steps, published, reused", [
    ("BlockDance, PixArt-alpha, N=2 (30 steps)", 30, 98.21, EVERY_SECOND),
    ("BlockDance, PixArt-alpha, N=3 (30 steps)", 30, 88.11, TWO_OF_THREE),
    ("BlockDance, PixArt-alpha, N=4 (30 steps)", 30, 81.38, THREE_OF_FOUR),
    ("Delta-DiT, PixArt-alpha (20 steps)", 20, 53.532, tuple(range(1, 20, 2))),
    ("Delta-DiT, PixArt-alpha, searched b=10 Nc=12", 20, 67.297, tuple(range(1, 20, 2))),
    ("Delta-DiT, PixArt-alpha, searched b=8 Nc=20", 20, 55.061, tuple(range(1, 20, 2))),
    ("Delta-Cache shallow (blocks 0-20)", 20, 53.532, tuple(range(1, 20, 2))),
    ("Delta-Cache middle (blocks 3-23)", 20, 53.532, tuple(range(1, 20, 2))),
    ("Delta-Cache deep (blocks 7-27)", 20, 53.532, tuple(range(1, 20, 2))),
    ("baseline: Faster Diffusion, I=14", 20, 64.238, tuple(range(1, 20, 2))),
    ("baseline: Faster Diffusion, I=21", 20, 53.532, tuple(range(1, 20, 2))),
    ("baseline: DeepCache on a DiT (first 14 blocks)", 20, 64.238, tuple(range(1, 20, 2))),
    ("Delta-DiT, PixArt-LCM, Nc=4 (4 steps, lcm)", 4, 7.953 * 2, (1, 3)),
    ("Delta-DiT, PixArt-LCM, Nc=6 (4 steps, lcm)", 4, 7.647 * 2, (1, 3)),
    ("Delta-DiT, PixArt-LCM, Nc=11 (4 steps, lcm)", 4, 6.883 * 2, (1, 3)),
    ("Delta-DiT, PixArt-LCM, Nc=16 (4 steps, lcm)", 4, 6.118 * 2, (1, 3)),
    ("baseline: Faster Diffusion, I=4", 4, 7.953 * 2, (1, 3)),
    ("baseline: Faster Diffusion, I=6", 4, 7.647 * 2, (1, 3)),
])
def test_pixart_rows(pixart, preset, steps, published, reused):
    run = plan(preset, steps)
    assert run.reused_steps == reused
    assert full_size.macs_of(run, pixart) / TERA == pytest.approx(published, rel=1e-3)


def test_sd3_rows(sd3):
    assert sd3.total * 28 / TERA == pytest.approx(168.256, rel=1e-3)
    run = plan("Delta-DiT, SD3 medium, 24 blocks (28 steps)", 28, depth=24)
    assert len(run.reused_steps) == 14
    assert full_size.macs_of(run, sd3) / TERA == pytest.approx(105.160, rel=1e-3)


# No class of ComfyUI has these models; the published full cost stands in for it
@pytest.mark.parametrize("preset, steps, full, published, r", [
    ("BlockDance, DiT-XL/2 512, N=2 (50 steps)", 50, 45.71, 29.91, 22),
    ("BlockDance, DiT-XL/2 512, N=3 (50 steps)", 50, 45.71, 24.16, 30),
    ("BlockDance, Open-Sora, N=2 (100 steps)", 100, 2193.80, 1418.28, 45),
    ("BlockDance, Open-Sora, N=3 (100 steps)", 100, 2193.80, 1159.76, 60),
    ("Delta-DiT, DiT-XL/2 256 (250 steps)", 250, 57.24, 35.77, 125),
])
def test_rows_by_their_published_full_cost(preset, steps, full, published, r):
    run = plan(preset, steps)
    assert len(run.reused_steps) == r
    assert full * run.computed_blocks(28) / (28 * steps) == pytest.approx(published, rel=1e-3)


def test_attention_counts_in_full_macs():
    """Attention products are about a third of PixArt at 1024 x 1024, and unseen by the papers' counting."""
    model = full_size.pixart()
    linear, everything = model.cost(linear_only=True), model.cost(linear_only=False)
    tokens, width, captions = 64 * 64, 1152, 120
    attention = full_size.PASSES * 2 * tokens * (tokens + captions) * width
    assert everything.blocks[0] - linear.blocks[0] == attention


@pytest.mark.parametrize("latent, mebibytes", [(128, 18.), (64, 4.5), (256, 72.)],
                         ids=["PixArt-alpha 1024", "DiT-XL/2 512", "Open-Sora 16 x 512"])
def test_published_cache_sizes(latent, mebibytes):
    """One hidden state per condition in bf16; DiT-XL/2 and Open-Sora have PixArt's width and their own token count."""
    model = full_size.pixart(latent)
    recorder = Recorder(model.chain, Reuse(Span(0, 21), Kind.FEATURE))
    with Interception(model.chain, recorders=(recorder,)):
        model.forward()
    assert recorder.stored().bytes == mebibytes * 2 ** 20
