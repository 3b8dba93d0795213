"""All methods on one seed of PixArt-Sigma, and what fewer steps do for the same compute."""

from .accelerators import AUTO, BLOCKDANCE, DELTA_CACHE, DELTA_DIT
from .comparison import branch, judged, saved, seed_of
from .graph import Group, Workflow
from .notes import note
from .pixart import BLOCKS, source

METHODS = (
    AUTO,
    BLOCKDANCE,
    DELTA_CACHE,
    DELTA_DIT,
)
STEPS, FEWER_STEPS = 30, 23  # the compute of BlockDance at N = 2
NAME = "For researchers, all methods on one seed of PixArt-Sigma"
FOLDER = "blockdance/methods"


def compare_methods() -> Workflow:
    model = source()
    computed = "\n".join(f"- {method.method}: {method.computed(STEPS, BLOCKS)}" for method in METHODS)
    about = note("Methods compared", f"""
One seed of PixArt-Sigma: in full, by each method, and in {FEWER_STEPS} steps without any. Each is shown beside the
full picture, and **Compare Image Quality** says how far it is from it.

Blocks computed:

{computed}
- {FEWER_STEPS} of {STEPS} steps: {FEWER_STEPS / STEPS * 100:.0f} %

**Fewer steps** are what the same compute buys without a patch: a method has to beat them. On the demo's small model
BlockDance did (53.2 dB against 47.6 dB), the Delta methods did not (36.5 dB against 42.8 dB at equal cost).

**BlockDance Auto** computes less: {STEPS / AUTO.inputs["speedup"]:.0f} steps cost as much. Its first run measures the
model and draws the full picture; change *Seed of all samplers* and run again.

**Turn first: quality** of Auto, **N** of each patch. Bypass (Ctrl+B) what you do not want to wait for.
""", model.loading)
    seed = seed_of(model)
    baseline = branch(model, model.model, seed, "baseline")
    patches = [method.on(model.model) for method in METHODS]
    lanes = [((patch,), branch(model, patch[0], seed, method.method)) for method, patch in zip(METHODS, patches)]
    lanes.append(((), branch(model, model.model, seed, f"{FEWER_STEPS} steps", FEWER_STEPS)))
    columns = (
        (Group("", (about,)),),
        (Group("1 Models", model.loading),),
        (Group("2 Prompt", (*model.prompting, seed)),),
        (Group("3 In full", (baseline.sampler, baseline.decode, saved(baseline, FOLDER))),),
        *((Group(f"4 {lane.title}", (*patch, lane.sampler, lane.decode, *judged(baseline, lane),
                                     saved(lane, FOLDER))),) for patch, lane in lanes))
    return Workflow(NAME, columns, 3)
