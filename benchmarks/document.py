"""The report: docs/benchmarks.md, its pictures, and a CSV of the tables."""

import csv
import math
from pathlib import Path
from statistics import fmean
from typing import Sequence

from ..blockdance_core.figures.canvas import THEMES
from . import equal_compute, markdown
from .options import QUICK_CAPTIONS
from .pareto import pareto
from .record import Memory, Record
from .row import BASELINE, Row, rows, shared
from .setting import BASE, Setting

DOCS = Path(__file__).resolve().parent.parent / "docs"
INTRODUCTION = """# Benchmarks

Written by `python3 -m benchmarks`; do not edit. Every method runs in the same ComfyUI, on the same models, captions and
seeds. MACs are counted in the model itself, attention included, block by block, whoever skips them. Quality is measured
against full sampling of the same seed. MACs, blocks and seconds are fractions of full sampling; seconds are medians of
runs paired with a full run nearby. *Wall* is what a clock shows, and noisy where the machine had other work;
*processor* is the time of computing, of the CPU alone. PSNR is a mean over captions with its 95 % bootstrap interval,
and after +- the standard deviation over captions. *Ahead* is how many dB more than running fewer steps of the same
sampler for the same MACs: below 0, nobody needs the method. *Held* is what is kept in memory from step to step beyond
what full sampling keeps, *peak* the most that sampling takes.

A better sampler with fewer steps may come nearer to the exact solution than the full run does that everything is
compared with, so its PSNR has a ceiling that is not its own fault.

The rivals are written from their papers (`benchmarks/rivals`) and not their authors' code; TeaCache and MagCache are
fitted to the model on other captions first, as their authors do, and FORA, TaylorSeer and HiCache store one change of
the hidden state for all blocks, not two for each. ComfyUI's EasyCache is run as it is. It computes everything where a
model never asks it, PixArt and SD3, and where the sampler's latent is the very tensor that the model gets, as with Flux
in float32, it adds to that one, which spoils the run. The numbers by which Auto plans were chosen on three of these
models with six of these captions in view ([auto.md](auto.md) has those without them); Wan came later.

The models are tiny and draw shapes, in pictures of 48 x 48 pixels or, Wan, videos of 16 frames of 24 x 24: they rank
methods, and say nothing about how a picture of a large model would look.
"""
SPEEDUPS = tuple(f"{speedup:g}x" for speedup in equal_compute.SPEEDUPS)
COLUMNS = ("method", "", "MACs", "blocks", "wall s", "processor s", "PSNR, dB", "ahead, dB", "SSIM",
           "relative L1", "objects right", "peak, MiB", "held, MiB")


def write(folder: Path, records: Sequence[Record], memories: Sequence[Memory], versions: Sequence[dict]) -> list[Path]:
    """Write the report into a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    methods = list(dict.fromkeys(record.method for record in records))
    records = sorted(records, key=lambda record: methods.index(record.method))  # in one order for all models
    parts, written = [INTRODUCTION, _versions(versions)], []
    tables: list[tuple[str, Setting, list[Row]]] = []
    for model in dict.fromkeys(record.model for record in records):
        of_model = _tables([record for record in records if record.model == model])
        if not of_model:
            continue
        tables += [(model, setting, table) for setting, table in of_model.items()]
        main = BASE if BASE in of_model else next(iter(of_model))
        picture = folder / f"benchmarks-{model}.png"
        setting = f"{main.name}; captions: {of_model[main][0].samples}."
        caption = f"{setting} Higher and further left is better; thick: fewer steps, and squares: ours."
        on_cpu = all(some.get("device") == "cpu" for some in versions)
        pareto(of_model[main], f"{model}: quality for compute", caption, on_cpu, THEMES["light"]).save(picture)
        written.append(picture)
        used = {memory.method: memory for memory in memories if (memory.model, memory.setting) == (model, main)}
        preview = "" if of_model[main][0].samples >= QUICK_CAPTIONS else (
            f" **A preview: {QUICK_CAPTIONS} captions are the fewest that say something.**")
        parts += [f"## {model}\n\n{setting}{preview}\n\n![{model}]({picture.name})\n",
                  markdown.table(COLUMNS, [_cells(row, used) for row in of_model[main]])]
        parts.append(_equal_compute(of_model[main]))
        if len(of_model) > 1:
            parts.append(_across(of_model))
    bases = [table for _, setting, table in tables if setting == BASE]
    if means := equal_compute.mean_leads(bases):
        parts.insert(2, f"## In short\n\nHow many dB Auto is above others at equal MACs, mean over {len(bases)} "
                        f"models; {BASE.name}.\n\n" + _leads(means))
    document = folder / "benchmarks.md"
    document.write_text("\n".join(parts))
    return [document, *written, _csv(folder / "benchmarks.csv", tables)]


def _tables(records: Sequence[Record]) -> dict[Setting, list[Row]]:
    """Rows by setting, of those settings in which at least one batch of captions is complete."""
    settings = dict.fromkeys(record.setting for record in records)
    complete = {setting: shared([r for r in records if r.setting == setting]) for setting in settings}
    return {setting: rows(some) for setting, some in complete.items() if some}


def _versions(versions: Sequence[dict]) -> str:
    merged: dict[str, dict[str, None]] = {}
    for some in versions:
        for name, value in some.items():
            if name != "kind":
                merged.setdefault(name, {})[value] = None
    return "Measured with " + "; ".join(f"{name} {' and '.join(values)}" for name, values in merged.items()) + ".\n"


def _cells(row: Row, used: dict[str, Memory]) -> tuple[str, ...]:
    psnr = "" if row.differing is None else f"{row.differing} +- {row.differing.spread:.1f}"
    if math.isinf(row.psnr.mean):
        psnr = f"{psnr}, and some equal" if psnr else "equal"
    ahead = "" if row.ahead is None or row.method == BASELINE else f"{row.ahead:+.1f}"
    memory, full = used.get(row.method), used.get("full")
    peak = f"{memory.peak / 2 ** 20:.1f}" if memory else ""
    held = f"{max(0, memory.held - full.held) / 2 ** 20:.2f}" if memory and full else ""
    return (row.method, row.point, f"{row.macs:.3f}", f"{row.blocks:.3f}", f"{row.seconds:.2f}", f"{row.cpu:.2f}",
            psnr, ahead, f"{row.ssim.mean:.4f}", f"{row.l1.mean:.4f}", f"{row.right} / {row.objects}", peak, held)


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


def _across(tables: dict[Setting, list[Row]]) -> str:
    """How far each method is ahead of fewer steps in each setting: the mean over its points on that curve."""
    methods = dict.fromkeys(row.method for table in tables.values() for row in table if row.method != BASELINE)
    lines = [("captions", *(str(table[0].samples) for table in tables.values()))]
    for method in methods:
        cells = [method]
        for table in tables.values():
            ahead = [row.ahead for row in table if row.method == method and row.ahead is not None]
            cells.append(f"{fmean(ahead):+.1f}" if ahead else "")
        lines.append(tuple(cells))
    lines.append(("seconds a picture, full sampling", *(f"{table[0].full_seconds / setting.batch:.2f}"
                                                        for setting, table in tables.items())))
    return ("### Other ways of sampling\n\ndB ahead of fewer steps at equal MACs, mean over a method's points.\n\n"
            + markdown.table(("method", *(setting.name for setting in tables)), lines))


def _csv(path: Path, tables: Sequence[tuple[str, Setting, list[Row]]]) -> Path:
    names = ("macs", "blocks", "seconds", "cpu", "psnr", "psnr_low", "psnr_high", "psnr_spread", "ahead", "ssim", "l1",
             "right", "objects", "samples", "full_seconds")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("model", *Setting.__dataclass_fields__, "method", "point", *names))
        for model, setting, table in tables:
            for row in table:
                writer.writerow((model, *setting.as_dict().values(), row.method, row.point, row.macs, row.blocks,
                                 row.seconds, row.cpu, row.psnr.mean, row.psnr.low, row.psnr.high, row.psnr.spread,
                                 row.ahead, row.ssim.mean, row.l1.mean, row.right, row.objects, row.samples,
                                 row.full_seconds))
    return path
