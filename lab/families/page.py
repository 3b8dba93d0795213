"""The page itself: one section for each family."""

from pathlib import Path

from .family import Family, Sampling
from .table import FAMILIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
NODES = {"BlockDanceAuto": "[BlockDance Auto](../web/docs/BlockDanceAuto.md)"}

BEGINNING = """\
# Models in use

<!-- written by python3 -m lab.families -->

What to do with the models that people use most, by the settings in ComfyUI's own templates (package 0.11.27, of
ComfyUI 0.30). Which classes are supported at all: [supported models](architectures.md).

**Only what is said to be measured was.** The speed-up to begin with is a rule of thumb: 2 from 20 steps on, up to 3
with 40 or more, nothing below about ten. How far *your* picture moves at it, Compare Image Quality says in two runs.
The memory is computed from the size of the latent: Auto keeps up to five outputs of the model, 4 bytes a number. The
nodes that reuse blocks keep more: [memory](memory.md).

For all of them:

- The first run of a model with Auto measures it and computes everything. The next ones are faster.
- Text encoder, VAE and the loading of weights cost what they cost: the factor is that of the sampling.
- A LoRA goes before the node of this pack. After another LoRA measure again if the pictures move more than before.
- Where you would rather have a better picture than a faster one: twice the steps at 2x cost what the steps did.
"""


def written() -> str:
    return "\n".join([BEGINNING, *map(_section, FAMILIES)])


def _section(family: Family) -> str:
    lines = [f"## {family.name}", ""]
    if family.samplings:
        lines += ["| template | model | steps | sampler | scheduler | cfg | calls a step | Auto keeps up to |",
                  "|---|---|---|---|---|---|---|---|"]
        lines += [_row(sampling) for sampling in family.samplings] + [""]
    begin = f"{NODES[family.node]}, speed-up {family.speedup:g} (a rule of thumb)" if family.node else "none"
    lines += [f"- **Node to begin with**: {begin}.", f"- **Where**: {family.where}",
              f"- **Do not expect**: {family.avoid}",
              f"- **Measured at full size**: {family.measured or 'nothing yet.'}",
              f"- Classes: {', '.join(f'`{name}`' for name in family.classes)}."]
    return "\n".join(lines) + "\n"


def _row(sampling: Sampling) -> str:
    guidance = f"{sampling.cfg:g}" if sampling.cfg else "no negative prompt"
    kept = f"{sampling.kept / 2 ** 20:.3g} MiB ({sampling.size})" if sampling.latent else "not computed"
    cells = (f"`{sampling.template}`", sampling.model, sampling.steps, sampling.sampler, sampling.scheduler, guidance,
             str(sampling.passes), kept)
    return "| " + " | ".join(cells) + " |"
