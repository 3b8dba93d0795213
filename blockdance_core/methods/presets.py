"""The published runs of both papers, and the baselines that they compare with, as methods.

Block counts follow from the papers' MACs (full - skipped blocks * reused steps / (depth * steps)), which fit 22 skipped
blocks where BlockDance's text says block 20, and windows of about 90 % of the steps for DiT-XL/2 and Open-Sora. Spans
are those of 28-block models unless the row names another.
"""

from ..plan.plan import Kind
from .blockdance import BlockDanceMethod
from .delta_cache import DeltaCacheMethod
from .delta_dit import DeltaDiTMethod

Method = BlockDanceMethod | DeltaCacheMethod | DeltaDiTMethod

PRESETS: dict[str, Method] = {
    **{f"BlockDance, PixArt-alpha, N={N} (30 steps)": BlockDanceMethod(N, 21, .40, 1.) for N in (2, 3, 4)},
    **{f"BlockDance, DiT-XL/2 512, N={N} (50 steps)": BlockDanceMethod(N, 21, .08, .95) for N in (2, 3)},
    **{f"BlockDance, Open-Sora, N={N} (100 steps)": BlockDanceMethod(N, 21, .06, .95) for N in (2, 3)},
    "Delta-DiT, PixArt-alpha (20 steps)": DeltaDiTMethod(2, 12 / 20, 21),
    "Delta-DiT, PixArt-alpha, searched b=10 Nc=12": DeltaDiTMethod(2, 10 / 20, 12),
    "Delta-DiT, PixArt-alpha, searched b=8 Nc=20": DeltaDiTMethod(2, 8 / 20, 20),
    "Delta-DiT, SD3 medium, 24 blocks (28 steps)": DeltaDiTMethod(2, 12 / 20, 18),
    "Delta-DiT, DiT-XL/2 256 (250 steps)": DeltaDiTMethod(2, 12 / 20, 21),
    **{f"Delta-DiT, PixArt-LCM, Nc={count} (4 steps, lcm)": DeltaDiTMethod(2, 2 / 4, count)
       for count in (4, 6, 11, 16)},
    "Delta-Cache shallow (blocks 0-20)": DeltaCacheMethod(2, 0, 21),
    "Delta-Cache middle (blocks 3-23)": DeltaCacheMethod(2, 3, 21),
    "Delta-Cache deep (blocks 7-27)": DeltaCacheMethod(2, 7, 21),
    "baseline: DeepCache on a DiT (first 14 blocks)": DeltaCacheMethod(2, 0, 14, kind=Kind.FEATURE),
    **{f"baseline: Faster Diffusion, I={count}": DeltaCacheMethod(2, 0, count, kind=Kind.FEATURE)
       for count in (4, 6, 14, 21)},
}
