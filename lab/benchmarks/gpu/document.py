"""docs/internals/gpu.md of a record. Standard library only."""

import json
from pathlib import Path
from typing import Iterable

from ..markdown import table
from .options import ROOT

Row = dict
_INTRODUCTION = """# On a GPU

Written by `python3 -m lab.benchmarks.gpu --publish` of the record of one run of `python3 -m lab.benchmarks.gpu`; do not
edit. Models of full size with random weights, since speed does not depend on them, loaded by ComfyUI's own loader; all
their weights are on the GPU unless a section says otherwise. Each run is euler with the schedule *simple*; its seconds
are those of the sampler, the GPU's work included, without loading the model. One machine, one run of the command.
"""
_METHODS = """## Speed, memory and waiting

*Ideal* is the speed-up by multiply-accumulates, *realised* that by the clock. *Reuse off* is a patch that reuses
nothing. *Waits* are operations that make the host wait for the GPU, per evaluation, and *own* those of them that this
pack's code asks for: a plan that is fixed before the run is to add none. *Peak* is how much more memory than unpatched
the sampler took at most; *cache* is what the report says was stored.
"""
_OWN = """## The pack's own time

A Flux whose blocks return their input, so that only the patch's own work is measured: milliseconds of processor time
that it adds to an evaluation, the least of each step in several runs.
"""
_STREAMING = """## Weights that are not moved

SD3 with less memory than its weights take: what was moved to the GPU in a run, and how much of that was for blocks that
the evaluation skipped.
"""
_COMPILE = """## torch.compile

A Flux of full width with 2 double and 2 single blocks, bfloat16, compiled as ComfyUI's node TorchCompileModel does it,
whose backends are *inductor* and *cudagraphs*. ComfyUI itself records no CUDA graphs. *First* is the run in which it
compiles.
"""
_OTHER = """## Not measured

"""


def write(path: Path, out: Path = ROOT / "docs" / "internals" / "gpu.md") -> Path:
    """Write the document of this record."""
    out.write_text(text(json.loads(path.read_text())))
    return out


def text(record: dict) -> str:
    about, rows = record["about"], record["rows"]
    parts = [_INTRODUCTION, _about(about)]
    for section, title, show in (("methods", _METHODS, _methods), ("own", _OWN, _own),
                                 ("streaming", _STREAMING, _streaming), ("compile", _COMPILE, _compile)):
        if found := _of(rows, section):
            parts += [title, show(found)]
    if absent := [*_absent(rows)]:
        parts += [_OTHER + "\n".join(f"- {line}" for line in absent) + "\n"]
    return "\n".join(parts)


def _of(rows: Iterable[Row], section: str) -> list[Row]:
    return [row for row in rows if row["section"] == section]


def _about(about: dict[str, str]) -> str:
    models = [f"- {name}: {about[name]}" for name in ("Flux", "SD3", "Wan") if name in about]
    rest = ", ".join(f"{name} {about[name]}" for name in ("device", "memory", "driver", "cuda", "torch", "comfyui",
                                                          "python", "cores") if name in about)
    return f"*{rest}.*\n\n" + "\n".join(models) + "\n"


def _methods(found: list[Row]) -> str:
    bare = {(row["model"], row["dtype"]): row for row in found if row["method"] == "unpatched"}

    def cells(row: Row) -> Iterable[object]:
        full = bare.get((row["model"], row["dtype"]))
        ideal, realised = row.get("ideal", 1.), full["seconds"] / row["seconds"] if full else None
        more = (row["peak"] - row["held"] - full["peak"] + full["held"]) / 2 ** 20 if full else None
        return (row["model"], row["dtype"], row["method"], row["steps"], f"{row['seconds']:.3f}", f"{ideal:.3f}",
                _shown(realised, ".3f"), _shown(realised and ideal and realised / ideal, ".3f"),
                f"{row['syncs'] / row['steps']:.1f}", f"{row['own_syncs'] / row['steps']:.1f}", _shown(more, ",.0f"),
                f"{row.get('cache', 0) / 2 ** 20:,.0f}")
    return table(("model", "weights", "method", "steps", "seconds", "ideal", "realised", "realised / ideal",
                  "waits", "own", "peak, MiB", "cache, MiB"), map(cells, found)) + _remarks(found)


def _remarks(found: list[Row]) -> str:
    """What the reports say beside numbers."""
    said = dict.fromkeys(f"{row['method']} on {row['model']} {row['dtype']}: {remark}" for row in found
                         for remark in (*row.get("uncounted", ()), *row.get("failures", ())))
    return "\n" + "\n".join(f"- {line}" for line in said) + "\n" if said else ""


def _own(found: list[Row]) -> str:
    return table(("method", "ms an evaluation", "ComfyUI's own, ms"),
                 [(row["method"], f"{row['milliseconds']:.2f}", f"{row['bare']:.2f}") for row in found])


def _streaming(found: list[Row]) -> str:
    return table(
        ("memory", "method", "blocks computed", "moved, GiB", "for skipped blocks, bytes", "seconds"),
        [(row["mode"], row["method"], f"{row.get('share', 1.):.0%}", f"{row['moved'] / 2 ** 30:.1f}",
          f"{row['moved_for_skipped']:,}" if "moved_for_skipped" in row else "-", f"{row['seconds']:.2f}")
         for row in found])


def _compile(found: list[Row]) -> str:
    eager = {row["method"]: row["seconds"] for row in found if row["backend"] == "none"}
    full = {row["backend"]: row["seconds"] for row in found if row["method"] == "unpatched"}

    def ratio(base: float | None, row: Row) -> str:
        return _shown(base and base / row["seconds"], ".2f")
    return table(
        ("backend", "method", "blocks computed", "first, s", "seconds", "to not compiled", "to unpatched", "graphs"),
        [(row["backend"], row["method"], f"{row['share']:.0%}", f"{row['first']:.1f}", f"{row['seconds']:.3f}",
          ratio(eager.get(row["method"]), row), ratio(full.get(row["backend"]), row), row["graphs"])
         for row in found])


def _absent(rows: list[Row]) -> Iterable[str]:
    for row in _of(rows, "left out"):
        yield f"{row['what']}: {row['why']}"
    for row in _of(rows, "failed"):
        what = " ".join(str(row[name]) for name in ("what", "model", "dtype", "mode", "backend", "method")
                        if name in row)
        yield f"{what}: {row['error']}"


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
