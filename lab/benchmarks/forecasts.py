"""What the forecasts of the paper modes are worth with each of ComfyUI's schedulers, on every demo model.

    python3 -m lab.benchmarks.start lab/benchmarks/forecasts.py [--models NAME ...]
        [--schedulers NAME ...] [--captions N] [--publish]

prints a table; with --publish its rows also go into docs/internals/forecasts.md, in place of the same ones.
"""

import argparse
from pathlib import Path
from statistics import fmean
from typing import Iterable, Iterator, Sequence

from comfy.samplers import SCHEDULER_NAMES

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.method import Method, with_forecast
from blockdance.blockdance_core.plan.extrapolation import FORECASTS
from blockdance.lab.benchmarks import markdown
from blockdance.lab.benchmarks.document import DOCS
from blockdance.lab.benchmarks.options import WEIGHTS
from blockdance.lab.benchmarks.quality import compare
from blockdance.lab.benchmarks.setting import Setting
from blockdance.lab.benchmarks.subject import Subject

METHODS = {"BlockDance N=2": BlockDanceMethod(N=2), "BlockDance N=3": BlockDanceMethod(N=3),
           "Delta-Cache N=2": DeltaCacheMethod(N=2)}
STEPS, CAPTIONS = 20, 2
COLUMNS = "model", "scheduler", "method", "captions", "off, dB", "linear", "quadratic"
NAMED = 3  # columns that say which row it is
INTRODUCTION = f"""# Forecasts with each scheduler

Written by `python3 -m lab.benchmarks.start lab/benchmarks/forecasts.py --publish`; do not edit. *Off* is the PSNR
against the full run of the same seed when stored values are repeated, *linear* and *quadratic* how many dB the input
`forecast` adds: {STEPS} Euler steps at cfg 3, means over the number of captions shown. Rows that are not here were not
measured. Delta-Cache begins next to pure noise, where `forecast` can cost one caption 2 dB and give another as much, so
a row of one caption says little there. [How it works](how-it-works.md#the-input-forecast) says how it is bounded.

"""


def lines(name: str, schedulers: Iterable[str], captions: int) -> Iterator[tuple[str, ...]]:
    """The rows of one model."""
    subject = Subject(WEIGHTS / f"{name}.safetensors")
    for scheduler in schedulers:
        found = _psnr(subject, Setting(steps=STEPS, scheduler=scheduler), captions)
        for method in METHODS:
            yield line(name, scheduler, method, captions, [found[method, forecast] for forecast in FORECASTS])


def line(name: str, scheduler: str, method: str, captions: int, psnr: Sequence[float]) -> tuple[str, ...]:
    """psnr: in dB, without a forecast and with each."""
    off, *others = psnr
    return name, scheduler, method, str(captions), f"{off:.1f}", *(f"{other - off:+.1f}" for other in others)


def publish(document: Path, table: Sequence[tuple[str, ...]]) -> None:
    """Write these rows where others stay."""
    measured = {row[:NAMED] for row in table}
    kept = markdown.lines(document.read_text()) if document.exists() else []
    rows = sorted([*table, *(row for row in kept if row[:NAMED] not in measured)], key=lambda row: row[:NAMED])
    document.write_text(INTRODUCTION + markdown.table(COLUMNS, rows))


def _psnr(subject: Subject, setting: Setting, captions: int) -> dict[tuple[str, str], float]:
    """The mean over the captions, in dB, by method and forecast."""
    found: dict[tuple[str, str], list[float]] = {}
    for seed, scene in enumerate(subject.scenes(captions)):
        def drawn(method: Method | None = None):
            patched = subject.patcher if method is None else attach(subject.patcher, method)
            return subject.draw(patched, setting, [scene], seed).latents[0]
        full = drawn()
        for name, method in METHODS.items():
            for forecast in FORECASTS:
                quality = compare(drawn(with_forecast(method, forecast)), full, scene)
                found.setdefault((name, forecast), []).append(quality.psnr)
    return {key: fmean(values) for key, values in found.items()}


def main() -> None:
    names = sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))
    parser = argparse.ArgumentParser(prog="python3 -m lab.benchmarks.start lab/benchmarks/forecasts.py",
                                     description="What forecasts are worth with each scheduler.")
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--schedulers", nargs="+", choices=SCHEDULER_NAMES, default=SCHEDULER_NAMES)
    parser.add_argument("--captions", type=int, choices=range(1, 65), default=CAPTIONS, metavar="N")
    parser.add_argument("--publish", action="store_true", help="write the rows into docs/internals/forecasts.md")
    given = parser.parse_args()
    for name in given.models:
        table = []
        for row in lines(name, given.schedulers, given.captions):
            print(*row, sep=" | ", flush=True)
            table.append(row)
        if given.publish:
            publish(DOCS / "forecasts.md", table)


if __name__ == "__main__":
    main()
