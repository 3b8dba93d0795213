"""The report: docs/internals/benchmarks.md, its pictures, and a CSV of the tables. The answer comes first, then picture
world; shapes world's rows are in the CSV alone."""

from pathlib import Path
from typing import Sequence

from ...blockdance_core.figures.canvas import THEMES
from . import across, equal_compute, markdown, more_steps, promises, published, summary, unmeasured
from .arms import AUTO
from .options import PICTURES as PICTURES_NAME
from .pareto import pareto
from .row import BASELINE, Row
from .setting import BASE, BASES, PICTURES, Setting
from .table import Table

DOCS = Path(__file__).resolve().parents[2] / "docs" / "internals"
CSV = "benchmarks.csv"
HEAD = """# Benchmarks

Written by `python3 -m lab.benchmarks --publish`; do not edit.
"""
HOW = """## How it is measured

Every method runs in the same ComfyUI, on the same models, captions and seeds (run n of a model with seed n, from 0 on).
MACs are counted in the model itself, attention included, block by block, whoever skips them. Quality is measured
against full sampling of the same seed. MACs are fractions of full sampling. PSNR is a mean over captions with its 95 %
bootstrap interval, and after +- the standard deviation over captions; *structure* and *detail* are the PSNR of the
errors in parts of an eighth of the picture and larger, and in finer ones, so that the two errors add up to the whole
(`lab/benchmarks/bands.py`); LPIPS, whose weights are not here, would say more. *Ahead* is how many dB more than running
fewer steps of the same sampler for the same MACs: below 0, nobody needs the method. *Expected* is what Auto said before
the run. [benchmarks.csv](benchmarks.csv) has all rows, with seconds (medians of runs paired with a full run nearby;
those of a machine with other work say little), memory and the PSNR of each caption.

Everything is compared with the full run. A better sampler with fewer steps may come nearer to the exact solution than
the full run does; its PSNR is then bounded by the full run's own error. *To 200 steps* is the PSNR to a run of so many
steps of the same sampler, and after it the full run's own; it is empty where it was not measured. What a *ceiling*
knows nobody can know before a run, or not for a price that anyone would pay: these rows say what is left to be gained.
BNS is trained on eight captions, from the best of Auto, L2P and MeanCache on these.

The rivals are written from their papers (`lab/benchmarks/rivals`) and not their authors' code; TeaCache and MagCache
are fitted to the model on other captions first, as their authors do, and FORA, TaylorSeer and HiCache store one change
of the hidden state for all blocks, not two for each. L2P, MeanCache, DPCache and the grids learn from full runs of
eight other captions, BudCache searches by runs of two; Auto measures two, *calibrated* as BlockDance Calibrate does
by six, *fitted* with its `fit_weights`. *Tuned* rivals choose among settings (peak
suppression, spans, ridge, plan, order) by real runs of four other captions. With samplers that add noise static rivals
learn and continue pictures in place of velocities, which would carry the noise on, and MeanCache learns from runs by
Euler. ComfyUI's EasyCache is run as it is. With PixArt and SD3 it computes everything, as the model never asks it. With
Flux in float32 the sampler's latent is the very tensor that the model gets, EasyCache adds to it, and the run is
spoilt. Auto's constants were chosen on three models of shapes world with six of these captions in view
([auto.md](auto.md#what-was-measured) has the numbers without them); the others came later.

The models are tiny. Those of picture world draw emoji in 64 x 64 pixels for captions in words, of combinations of thing
and ground that no training has seen; whether they are right is not checked. Those of shapes world draw shapes, in
pictures of 48 x 48 pixels or, Wan, videos of 16 frames of 24 x 24, which flatters every forecast. They rank methods,
and say nothing about how a picture of a large model would look.
"""
SPEEDUPS = tuple(f"{speedup:g}x" for speedup in equal_compute.SPEEDUPS)
FEWEST = 8  # captions that say something
COLUMNS = ("method", "", "MACs", "PSNR, dB", "structure", "detail", "ahead, dB", "expected, dB", "SSIM",
           "to 200 steps, dB")


def write(folder: Path, tables: Sequence[Table]) -> list[Path]:
    """Write the report into a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    worlds = {base: _of_world(tables, world) for base, world in BASES.items()}
    pictures = [_picture(folder / f"benchmarks-{table.model}.png", table) for table in _mains(tables)]
    parts = [HEAD]
    if said := summary.lines(worlds[PICTURES], PICTURES):
        path = folder / "benchmarks.png"
        summary.picture(worlds[PICTURES], PICTURES, THEMES["light"]).save(path)
        pictures.append(path)
        parts += [f"![Quality for compute]({path.name})\n", "\n".join(said) + "\n"]
    parts += [_in_short(worlds), *_picture_world(worlds[PICTURES]), *_of_all(tables), *_shapes_world(worlds[BASE]), HOW,
              _versions(tables)]
    document = folder / "benchmarks.md"
    document.write_text("\n".join(filter(None, parts)))
    return [document, *pictures, published.write(folder / CSV, tables)]


def _of_world(tables: Sequence[Table], world: str) -> list[Table]:
    """Models of picture world have it in their names."""
    return [table for table in tables if (PICTURES_NAME in table.model) == (world == BASES[PICTURES])]


def _mains(tables: Sequence[Table]) -> list[Table]:
    """Of each model the one in its first setting, or else the first."""
    found = []
    for model in dict.fromkeys(table.model for table in tables):
        of_model = [table for table in tables if table.model == model]
        found.append(next((table for table in of_model if table.setting in BASES), of_model[0]))
    return found


def _in_short(worlds: dict[Setting, list[Table]]) -> str:
    parts = []
    for base, tables in worlds.items():
        of_base = [table.rows for table in tables if table.setting == base]
        if means := equal_compute.mean_leads(of_base):
            parts.append(f"## In short: {BASES[base]}\n\nHow many dB Auto is above others at equal MACs, mean over "
                         f"{len(of_base)} models; {base.name}.\n\n" + _leads(means))
    return "\n".join(parts)


def _picture_world(tables: Sequence[Table]) -> list[str]:
    parts = []
    for main in _mains(tables):
        parts += [f"## {main.model}\n\n{_measured(main)}{_preview(main)} {main.note}".rstrip() + "\n",
                  f"![{main.model}](benchmarks-{main.model}.png)\n",
                  markdown.table(COLUMNS, (_cells(row, main.rows[0].samples) for row in main.rows)),
                  _equal_compute(main.rows)]
    if len({table.setting for table in tables}) > 1:
        parts.append("## Other ways of sampling\n\nMeans over the models, in dB: fewer steps for the same compute, "
                     "Auto by its own measurement in that way of sampling, Auto by the profile of other models, and "
                     "the best of the static rivals, which learn in that way of sampling, too.\n\n"
                     + across.ways(tables, PICTURES))
    if found := across.precisions(tables, PICTURES):
        parts.append("## Other numbers\n\nAs above, with everything, the measurement and the full run included, in "
                     f"these numbers.\n\n{found}")
    if found := more_steps.more_steps(more_steps.of_steps(tables, PICTURES)):
        parts.append(f"## More steps for the same time\n\nMeans over the models.\n\n{found}")
    return parts


def _of_all(tables: Sequence[Table]) -> list[str]:
    parts = []
    if found := unmeasured.leave_one_out(tables):
        parts.append("## Models that nobody has measured\n\nEach model by the mean of what was measured of all others, "
                     "beside its own measurement. The others were measured at their first cfg and at one schedule. The "
                     "lower quartile is reached by three of four pictures; over all rows it is what is to be expected "
                     f"of a model that was not measured.\n\n{found}")
    if found := promises.against_measured(tables):
        parts.append("## Expected and measured\n\n*Too much by* is the expectation less the mean over captions, *at "
                     f"worst* less the caption that came out worst.\n\n{found}")
    return parts


def _shapes_world(tables: Sequence[Table]) -> list[str]:
    """A row a model; the rest is in the CSV."""
    if not tables:
        return []
    lines = []
    for main in _mains(tables):
        reached = equal_compute.speedup_at_paper(main.rows)
        heights = equal_compute.heights(main.rows)
        lines.append((f"[{main.model}](benchmarks-{main.model}.png)", main.setting.name, main.rows[0].samples,
                      *(across.decibels(height) for height in heights.get(AUTO, [None] * len(SPEEDUPS))),
                      f"{reached[0]:.2f}x" if reached else ""))
    columns = ("model", "", "captions", *(f"Auto {speedup}, dB" for speedup in SPEEDUPS),
               "as close as BlockDance N = 2 at")
    preview = "".join(dict.fromkeys(_preview(main) for main in _mains(tables)))
    notes = "".join(f" {note}" for note in dict.fromkeys(table.note for table in tables) if note)
    return [f"## Shapes world\n\nAll rows are in [{CSV}]({CSV}).{preview}{notes}\n\n{markdown.table(columns, lines)}"]


def _preview(table: Table) -> str:
    return "" if table.rows[0].samples >= FEWEST else (
        f" **A preview: {FEWEST} captions are the fewest that say something.**")


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


def _cells(row: Row, captions: int) -> tuple[str, ...]:
    """captions: those of most rows; where a row has other ones, it says so."""
    point = row.point if row.samples == captions else f"{row.point}, {row.samples} captions"
    psnr = f"{row.psnr} +- {row.psnr.spread:.1f}" if row.psnr else "equal"
    if row.psnr and row.equal:
        psnr = f"{psnr}, and some equal"
    ahead = "" if row.ahead is None or row.method == BASELINE else f"{row.ahead:+.1f}"
    exact = "" if row.exact is None else f"{row.exact:.1f} of {row.full_exact:.1f}"
    if row.exact_samples not in (None, row.samples):
        exact = f"{exact}, {row.exact_samples} captions"
    expected = "" if row.expected is None else f"{row.expected:.0f}"
    return (row.method, point, f"{row.macs:.3f}", psnr, across.decibels(row.structure),
            across.decibels(row.detail), ahead, expected, f"{row.ssim:.4f}", exact)


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
