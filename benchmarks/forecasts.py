"""What the forecasts of the paper modes are worth with each of ComfyUI's schedulers, on every demo model.

    python3 -m benchmarks.start benchmarks/forecasts.py [--models NAME ...] [--publish]

prints a table, and with all models and --publish writes it into docs/forecasts.md.
"""

import argparse
from statistics import fmean
from typing import Iterator, Sequence

from comfy.samplers import SCHEDULER_NAMES

from blockdance.benchmarks import markdown
from blockdance.benchmarks.document import DOCS
from blockdance.benchmarks.options import WEIGHTS
from blockdance.benchmarks.quality import compare
from blockdance.benchmarks.setting import Setting
from blockdance.benchmarks.subject import Subject
from blockdance.blockdance_core.blockdance import BlockDancePolicy
from blockdance.blockdance_core.delta_cache import DeltaCachePolicy
from blockdance.blockdance_core.forecasting import FORECASTS, with_forecast
from blockdance.blockdance_core.host.attach import attach
from blockdance.blockdance_core.policy import Policy

METHODS = {"BlockDance N=2": BlockDancePolicy(N=2), "BlockDance N=3": BlockDancePolicy(N=3),
           "Delta-Cache N=2": DeltaCachePolicy(N=2)}
STEPS, CAPTIONS = 20, 2
COLUMNS = "model", "scheduler", "method", "off, dB", "linear", "quadratic"
INTRODUCTION = f"""# Forecasts with each scheduler

Written by `python3 -m benchmarks.start benchmarks/forecasts.py --publish`; do not edit. PSNR against the full run of
the same seed without a forecast, and how many dB a forecast adds: {STEPS} Euler steps at cfg 3, means of {CAPTIONS}
captions. [How it works](how-it-works.md#forecasts-of-the-paper-modes) says how forecasts are bounded.

"""


def lines(name: str) -> Iterator[tuple[str, ...]]:
    """The rows of one model."""
    subject = Subject(WEIGHTS / f"{name}.safetensors")
    for scheduler in SCHEDULER_NAMES:
        found = _psnr(subject, Setting(steps=STEPS, scheduler=scheduler))
        for method in METHODS:
            off, *others = (found[method, forecast] for forecast in FORECASTS)
            yield name, scheduler, method, f"{off:.1f}", *(f"{other - off:+.1f}" for other in others)


def _psnr(subject: Subject, setting: Setting) -> dict[tuple[str, str], float]:
    """The mean over the captions, in dB, by method and forecast."""
    found: dict[tuple[str, str], list[float]] = {}
    for seed, scene in enumerate(subject.scenes(CAPTIONS)):
        def drawn(policy: Policy | None = None):
            patched = subject.patcher if policy is None else attach(subject.patcher, policy)
            return subject.draw(patched, setting, [scene], seed).latents[0]
        full = drawn()
        for name, method in METHODS.items():
            for forecast in FORECASTS:
                quality = compare(drawn(with_forecast(method, forecast)), full, scene)
                found.setdefault((name, forecast), []).append(quality.psnr)
    return {key: fmean(values) for key, values in found.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    names = sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.start benchmarks/forecasts.py", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--publish", action="store_true", help="write the table into docs/forecasts.md")
    given = parser.parse_args(arguments)
    table = []
    for name in given.models:
        for line in lines(name):
            print(*line, sep=" | ", flush=True)
            table.append(line)
    if given.publish:
        (DOCS / "forecasts.md").write_text(INTRODUCTION + markdown.table(COLUMNS, table))


if __name__ == "__main__":
    main()
