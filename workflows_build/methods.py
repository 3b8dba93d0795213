"""All methods on one seed of PixArt-Sigma, and what fewer steps do for the same compute."""

from .accelerators import BLOCKDANCE, DELTA_CACHE, DELTA_DIT
from .comparison import comparison
from .graph import Workflow
from .notes import note
from .pixart import BLOCKS, sigma

METHODS = (
    BLOCKDANCE,
    DELTA_CACHE,
    DELTA_DIT,
)
FEWER_STEPS = 23  # the compute of BlockDance at N = 2


def compare_methods() -> Workflow:
    source, name = sigma(30), "compare_methods_pixart_sigma"
    computed = "\n".join(f"- {method.title.split(' Patch')[0]}: {method.computed(source.sampling.steps, BLOCKS)}"
                         for method in METHODS)
    about = note("Methods compared", f"""
One seed of PixArt-Sigma: in full, by each method, and in {FEWER_STEPS} steps without any. Each has a slider against the
full picture, and **Compare Image Quality** with PSNR and SSIM.

Blocks computed:

{computed}
- {FEWER_STEPS} of 30 steps: {FEWER_STEPS / 30:.0%}

**Fewer steps** are what the same compute buys without a patch: a method has to beat them. On the demo's small model
BlockDance did (53.2 dB against 47.6 dB), the Delta methods did not (36.5 dB against 42.8 dB at equal cost).

**First knob**: `N` of each patch. Bypass (Ctrl+B) what you do not want to wait for.
""", source.loading)
    return Workflow(name, *comparison(name, source, about, METHODS, (FEWER_STEPS,)))
