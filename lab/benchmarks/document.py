"""The report: docs/internals/benchmarks.md, its pictures, and a CSV of the tables."""

from pathlib import Path
from statistics import fmean
from typing import Sequence

from ...blockdance_core.figures.canvas import THEMES
from . import equal_compute, markdown, published
from .options import QUICK_CAPTIONS
from .pareto import pareto
from .row import BASELINE, Row
from .setting import BASES
from .table import Table

DOCS = Path(__file__).resolve().parents[2] / "docs" / "internals"
CSV = "benchmarks.csv"
INTRODUCTION = """# Benchmarks

Written by `python3 -m lab.benchmarks`; do not edit. Every method runs in the same ComfyUI, on the same models,
captions and seeds (run n of a model with seed n, from 0 on). MACs are counted in the model itself, attention included,
block by block, whoever skips them. Quality is measured against full sampling of the same seed. MACs, blocks and seconds
are fractions of full sampling; seconds are medians of runs paired with a full run nearby. *Wall* is what a clock shows,
and noisy where the machine had other work; *processor* is the time of computing, of the CPU alone. PSNR is a mean over
captions with its 95 % bootstrap interval, and after +- the standard deviation over captions. *Ahead* is how many dB
more than running fewer steps of the same sampler for the same MACs: below 0, nobody needs the method. *Held* is the
memory kept from step to step beyond what full sampling keeps, *peak* the most that sampling takes.

Everything is compared with the full run. A better sampler with fewer steps may come nearer to the exact solution than
the full run does; its PSNR is then bounded by the full run's own error. *To 200 steps* is the PSNR to a run of so many
steps of the same sampler, and after it the full run's own; it is empty where it was not measured. What a *ceiling*
knows nobody can know before a run, or not for a price that anyone would pay: these rows say what is left to be gained.

The rivals are written from their papers (`lab/benchmarks/rivals`) and not their authors' code; TeaCache and MagCache
are fitted to the model on other captions first, as their authors do, and FORA, TaylorSeer and HiCache store one change
of the hidden state for all blocks, not two for each. L2P, MeanCache, DPCache and the grids learn from full runs of
eight other captions, BudCache searches by runs of two; Auto measures two. ComfyUI's EasyCache is run as it is. With
PixArt and SD3 it computes everything, as the model never asks it. With Flux in float32 the sampler's latent is the very
tensor that the model gets, EasyCache adds to it, and the run is spoilt. Auto's constants were chosen on three of these
models with six of these captions in view ([auto.md](auto.md#what-was-measured) has the numbers without them); Wan came
later.

The models are tiny and draw shapes, in pictures of 48 x 48 pixels or, Wan, videos of 16 frames of 24 x 24; those of
picture world draw emoji in 64 x 64 pixels for captions in words, and whether they are right is not checked. They rank
methods, and say nothing about how a picture of a large model would look.
"""
SPEEDUPS = tuple(f"{speedup:g}x" for speedup in equal_compute.SPEEDUPS)
COLUMNS = ("method", "", "MACs", "blocks", "wall s", "processor s", "PSNR, dB", "ahead, dB", "SSIM",
           "relative L1", "objects right", "peak, MiB", "held, MiB", "to 200 steps, dB")


def write(folder: Path, tables: Sequence[Table]) -> list[Path]:
    """Write the report into a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    parts, pictures = [INTRODUCTION, _versions(tables)], []
    for base, world in BASES.items():
        of_world = [table.rows for table in tables if table.setting == base]
        if means := equal_compute.mean_leads(of_world):
            parts.append(f"## In short: {world}\n\nHow many dB Auto is above others at equal MACs, mean over "
                         f"{len(of_world)} models; {base.name}.\n\n" + _leads(means))
    for model in dict.fromkeys(table.model for table in tables):
        of_model = [table for table in tables if table.model == model]
        main = next((table for table in of_model if table.setting in BASES), of_model[0])
        pictures.append(_picture(folder / f"benchmarks-{model}.png", main))
        preview = "" if main.rows[0].samples >= QUICK_CAPTIONS else (
            f" **A preview: {QUICK_CAPTIONS} captions are the fewest that say something.**")
        note = main.note and f" {main.note}"
        parts += [f"## {model}\n\n{_measured(main)}{preview}{note}\n",
                  f"![{model}]({pictures[-1].name})\n", markdown.table(COLUMNS, map(_cells, main.rows)),
                  _equal_compute(main.rows)]
        if len(of_model) > 1:
            parts.append(_across(of_model))
    document = folder / "benchmarks.md"
    document.write_text("\n".join(parts))
    return [document, *pictures, published.write(folder / CSV, tables)]


def _picture(path: Path, table: Table) -> Path:
    caption = f"{_measured(table)} Higher and further left is better; thick: fewer steps, and squares: ours."
    on_cpu = table.versions.get("device") == "cpu"
    pareto(table.rows, f"{table.model}: quality for compute", caption, on_cpu, THEMES["light"]).save(path)
    return path


def _measured(table: Table) -> str:
    return f"{table.setting.name}; captions: {table.rows[0].samples}."


def _versions(tables: Sequence[Table]) -> str:
    merged: dict[str, dict[str, None]] = {}
    for table in tables:
        for name, value in table.versions.items():
            merged.setdefault(name, {})[f"{table.model} {value}" if name == "weights" else value] = None
    return "Measured with " + "; ".join(f"{name} {', '.join(values)}" for name, values in merged.items()) + ".\n"


def _cells(row: Row) -> tuple[str, ...]:
    psnr = f"{row.psnr} +- {row.psnr.spread:.1f}" if row.psnr else "equal"
    if row.psnr and row.equal:
        psnr = f"{psnr}, and some equal"
    ahead = "" if row.ahead is None or row.method == BASELINE else f"{row.ahead:+.1f}"
    peak = "" if row.peak is None else f"{row.peak / 2 ** 20:.1f}"
    held = "" if row.held is None else f"{row.held / 2 ** 20:.2f}"
    exact = "" if row.exact is None else f"{row.exact:.1f} of {row.full_exact:.1f}"
    return (row.method, row.point, f"{row.macs:.3f}", f"{row.blocks:.3f}", f"{row.seconds:.2f}", f"{row.cpu:.2f}",
            psnr, ahead, f"{row.ssim:.4f}", f"{row.l1:.4f}", row.checked, peak, held, exact)


def _equal_compute(table: Sequence[Row]) -> str:
    """What methods come to at the same MACs, the best first."""
    found = {method: heights for method, heights in equal_compute.heights(table).items()
             if any(height is not None for height in heights)}
    order = sorted(found, key=lambda method: -max(height or 0 for height in found[method]))
    lines = [(method, *("" if height is None else f"{height:.1f}" for height in found[method])) for method in order]
    parts = ["### At equal compute\n\nPSNR in dB for no more than the MACs of so many times fewer, on straight lines "
             "between the points above, or by the best cheaper one; without the pictures that are equal to the full "
             "run's. Empty where a method has no such point.\n", markdown.table(("method", *SPEEDUPS), lines)]
    if leads := equal_compute.leads(table):
        parts.append("How many dB Auto is above others:\n\n" + _leads(leads))
    if reached := equal_compute.speedup_at_paper(table):
        speedup, closer = reached
        compared = "closer to full sampling than" if closer else "as close to full sampling as"
        parts.append(f"Auto is {compared} BlockDance N = 2 at {speedup:.2f}x.\n")
    return "\n".join(parts)


def _leads(leads: dict[str, list[float | None]]) -> str:
    lines = [(kind, *("" if lead is None else f"{lead:+.1f}" for lead in found)) for kind, found in leads.items()]
    return markdown.table(("Auto above", *SPEEDUPS), lines)


def _across(tables: Sequence[Table]) -> str:
    """How far each method is ahead of fewer steps in each setting: the mean over its points on that curve."""
    methods = dict.fromkeys(row.method for table in tables for row in table.rows if row.method != BASELINE)
    lines = [("captions", *(str(table.rows[0].samples) for table in tables))]
    for method in methods:
        cells = [method]
        for table in tables:
            ahead = [row.ahead for row in table.rows if row.method == method and row.ahead is not None]
            cells.append(f"{fmean(ahead):+.1f}" if ahead else "")
        lines.append(tuple(cells))
    lines.append(("seconds a picture, full sampling", *(f"{table.rows[0].full_seconds / table.setting.batch:.2f}"
                                                        for table in tables)))
    return ("### Other ways of sampling\n\ndB ahead of fewer steps at equal MACs, mean over a method's points.\n\n"
            + markdown.table(("method", *(table.setting.name for table in tables)), lines))
