"""The report: docs/internals/speed.md."""

import json
from pathlib import Path
from typing import Sequence

from ..markdown import table
from .options import MODELS, ROOT

INTRODUCTION = """# Speed

Written by `python3 -m lab.benchmarks.speed`; do not edit. How near the time saved comes to the compute saved, and
what the pack itself costs, on a CPU; [gpu.md](gpu.md) has the same of one large GPU. Weights are random: speed does not
depend on them. *Ideal* is the speed-up by multiply-accumulates, counted in the model with attention included;
*realised* is that of the run, by processor time or by the clock, and the table says what fraction of the ideal it is.
Each run is compared with the unpatched run right before it. By the clock, which counts whatever else the machine was
doing, medians are taken. Processor time is that of the one thread that computes: of each step the least in all runs,
since other programs, which share caches and memory, only add to it.

`python3 -m lab.benchmarks.speed --device cuda` measures on a GPU (1024 x 1024, bfloat16, batch 1, 2 and 4), with
`--compile` through torch.compile. A section or model that is missing was not measured.
"""
METHODS = """## Full-size models

ComfyUI's own classes and sampler: PixArt (28 blocks of width 1152), SD3 (24 of width 1536) and a Flux of full width
(3072) cut down to 3 double and 6 single blocks. On a CPU the blocks of SD3 and Flux share the weights of one block per
stack, which are several times larger than what a CPU caches, so that they fit in memory. The bars are 0.97 for plans
that are fixed before the run, 0.95 for others. With so few tokens a block takes as long to read its weights as to
multiply with them, so that time and MACs are not quite in proportion: Flux's double blocks have twice the weights of
its single ones for the same MACs and take 1.6 times as long (100 and 61 ms). A method that skips few of them, as
Delta-DiT does, saves less time than MACs; one that skips them first, as BlockDance does, saves more.
"""
IDLE = """## Reuse off

What a patch that reuses nothing adds to a step of these models. Two runs of one of them differ by more than that by
chance, as the rows *reuse off* above show; so it is measured beside blocks that hand on what they are given: hidden
states of full size, milliseconds of processor time, the least of each step in nine runs. Beside it is the least that a
step with all its blocks takes. The bar is 0.5 %. What is done once in a run [comes to it](#once-a-run).
"""
OVERHEAD = """## The pack's own time

60 blocks that do nothing, so that what a patch adds to an evaluation is its own: milliseconds of processor time, the
least of each step in several runs. The bar is 1 ms. That a forecast spares a call of the model is not counted in its
favour. Other work on the machine can double these times; beside them is what ComfyUI itself takes to evaluate a model
of such blocks, which it doubles, too.
"""
SCALING = """## How it grows

The same with 28 blocks that do nothing, one thing varied at a time. A cost that grows with the tokens is that of the
copies that are stored and handed out, and of the sums that forecasts are. A short run has more per evaluation of what
the first one of a run adds. Where ComfyUI's own time is long, the difference of two runs is rough.
"""
ONCE = """## Once a run

What is not in the tables above. Auto keeps its latest plans, so that a run of a schedule that it has planned for is not
planned for again; made anew, a plan takes this long, a profile being read. The multiply-accumulates of each kind of
pass are counted once in every run, with reuse off, too: milliseconds of processor time that this adds to one pass, by
the number of its operators and not by their size, so that it shows where steps are short.
"""
STORAGE = """## What the cache takes

The demo's PixArt (width 128, float32, 30 steps, cfg 3): the most that was stored, and PSNR against the full run.
[What is stored when](memory.md).
"""
LOADING = """## Loading the pack

Seconds to import the pack with ComfyUI there already, medians of processes of their own. The bar is 0.3 s.
"""


def write(folder: Path, publish: bool) -> Path:
    """Write the report of all that is on record in this folder; also into docs/internals to publish it."""
    parts = [INTRODUCTION]
    for title, names, section in (
            (METHODS, [f"methods-{model}-{device}" for device in ("cpu", "cuda") for model in MODELS], _methods),
            (IDLE, [f"idle-{model}-{device}" for device in ("cpu", "cuda") for model in MODELS], _idle),
            (OVERHEAD, ["overhead"], _overhead), (SCALING, ["scaling"], _scaling), (ONCE, ["once"], _once),
            (STORAGE, ["storage"], _storage), (LOADING, ["loading"], _loading)):
        paths = [path for name in names if (path := folder / f"{name}.json").is_file()]
        if paths:
            parts.append(title)
        for path in paths:
            read = json.loads(path.read_text())
            parts += [_about(read["about"]), section(read["found"])]
    text = "\n".join(parts)
    (folder / "speed.md").write_text(text)
    if publish:
        (ROOT / "docs" / "internals" / "speed.md").write_text(text)
    return folder / "speed.md"


def _about(about: dict[str, str]) -> str:
    settings = f"{about['settings']}; " if "settings" in about else ""
    rest = ", ".join(f"{name} {value}" for name, value in about.items() if name not in ("settings", "load", "cores"))
    return f"*{settings}{rest}; load {about['load']} on {about['cores']} cores.*\n"


def _methods(found: Sequence[dict]) -> str:
    return table(
        ("model", "batch", "method", "ideal", "realised / ideal, processor", "realised / ideal, clock",
         "a full step, ms of the clock", "stored, KiB"),
        [(f["model"], f["batch"], f["method"], f"{f['ideal']:.3f}", f"{f['cpu'] / f['ideal']:.3f}",
          f"{f['wall'] / f['ideal']:.3f}", f"{f['milliseconds']:.0f}", f"{f['bytes'] / 2 ** 10:.0f}") for f in found])


def _idle(found: Sequence[dict]) -> str:
    return table(("model", "batch", "added, ms", "a step, ms", "added, %"),
                 [(f["model"], f["batch"], f"{f['added']:.2f}", f"{f['step']:.0f}",
                   f"{100 * f['added'] / f['step']:.3f}") for f in found])


def _overhead(found: Sequence[dict]) -> str:
    return table(("method", "ms an evaluation", "ComfyUI's own, ms"),
                 [(f["method"], f"{f['milliseconds']:.2f}", f"{f['bare']:.2f}") for f in found])


def _scaling(found: Sequence[dict]) -> str:
    methods = list(dict.fromkeys(f["method"] for f in found))
    cases: dict[tuple[str, str], dict[str, dict]] = {}
    for f in found:
        cases.setdefault((f["varied"], f["value"]), {})[f["method"]] = f
    return table(
        ("varied", "", *(f"{method}, ms" for method in methods), "ComfyUI's own, ms"),
        [(*case, *(f"{f['milliseconds']:.2f}" for f in by_method.values()),
          f"{next(iter(by_method.values()))['bare']:.2f}") for case, by_method in cases.items()])


def _once(found: Sequence[dict]) -> str:
    return table(("", "ms"), [(f["what"], f"{f['milliseconds']:.1f}") for f in found])


def _storage(found: Sequence[dict]) -> str:
    return table(("method", "storage", "bytes", "PSNR, dB"),
                 [(f["method"], f["storage"], f"{f['bytes']:,}", f"{f['psnr']:.1f}") for f in found])


def _loading(found: Sequence[dict]) -> str:
    return table(("processor", "clock", "imported for it alone"),
                 [(f"{f['cpu']:.3f}", f"{f['wall']:.3f}", ", ".join(f["modules"])) for f in found])
