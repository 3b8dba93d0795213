"""What many models have in common: the profile `general`, and what it is worth to a model that is not among them.

    python3 -m lab.benchmarks.start lab/benchmarks/general.py measure [--models FILE ...] [--captions N]
    python3 -m lab.benchmarks.start lab/benchmarks/general.py make

`measure` writes a profile of each model into lab/benchmarks/kernels: the mean of full runs of calibration captions, all
models at the same times. `make` takes their mean and writes the profiles that come with the pack, one for each
quantity, and beside them what is to be expected of them, by docs/internals/benchmarks.csv. The benchmark gives each
model the mean of all others (others.py), so that its rows say what a model gets that nobody has measured.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Iterable, Sequence

import comfyui_version
import torch
from comfy.model_patcher import ModelPatcher

from blockdance.blockdance_core.auto import profile
from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.profile import Fingerprint, Profile
from blockdance.blockdance_core.comfy.attach import fingerprint_of
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.lab.benchmarks import published, unmeasured
from blockdance.lab.benchmarks.arm import Calibration
from blockdance.lab.benchmarks.document import CSV, DOCS
from blockdance.lab.benchmarks.measured import measured_in
from blockdance.lab.benchmarks.options import WEIGHTS, whole
from blockdance.lab.benchmarks.others import KERNELS, files, model_of, pooled, write
from blockdance.lab.benchmarks.subject import Subject

STEPS, SHIFT = 40, 1.5  # of the measuring runs: their times lie between those of a picture's and a video's schedule
CAPTIONS = 6
SAMPLERS = {Quantity.VELOCITY: "euler", Quantity.PICTURE: "euler_ancestral"}


def measured(subject: Subject, captions: int = CAPTIONS, steps: int = STEPS) -> dict[Quantity, Profile]:
    """The profiles of a model, by full runs of calibration captions."""
    found: dict[Quantity, Profile] = {}
    for quantity, sampler in SAMPLERS.items():
        setting = replace(subject.base, steps=steps, sampler=sampler, shift=SHIFT)
        _, runs = measured_in(subject.patcher, Calibration(subject, setting, captions=captions).draw)
        found[quantity] = _profile(subject.patcher, quantity, pooled(runs), len(runs), {
            "steps": steps, "cfg": setting.cfg, "sampler": sampler, "scheduler": setting.scheduler, "shift": SHIFT})
    return found


def general(profiles: Sequence[Profile], names: Sequence[str]) -> Profile:
    """One for every model, of what was measured of these."""
    quantity, kernel = profiles[0].quantity, pooled([profile.kernel for profile in profiles])
    fingerprint = Fingerprint(
        "several models", tuple(sum(profile.fingerprint.stacks) for profile in profiles),
        sum(profile.fingerprint.parameters for profile in profiles), True)
    settings = profiles[0].settings | {"models": ", ".join(names)}
    settings.pop("cfg")  # of each world its own
    return Profile(fingerprint, quantity, kernel, sum(profile.runs for profile in profiles), settings,
                   profiles[0].versions)


def make(kernels: Path = KERNELS, into: Path = profile.GENERAL, csv: Path = DOCS / CSV) -> list[Path]:
    """The general profile of each quantity, written into a folder, and what is to be expected of it, where the
    benchmark's CSV says so; returns the files."""
    written = []
    for quantity in Quantity:
        paths = files(quantity, kernels)
        if not paths:
            sys.exit(f"error: {kernels} has no profiles: run `measure` first")
        made = general([profile.read(path) for path in paths], [model_of(path, quantity) for path in paths])
        into.mkdir(parents=True, exist_ok=True)
        path = into / f"{quantity.value}.json"
        path.write_text(made.dump(), encoding="utf-8")
        written.append(path)
    expected = unmeasured.write(into, published.read(csv))
    return written if expected is None else [*written, expected]


def _profile(model: ModelPatcher, quantity: Quantity, kernel: Kernel, runs: int,
             settings: dict[str, str | int | float]) -> Profile:
    versions = {"comfyui": comfyui_version.__version__, "torch": torch.__version__}
    return Profile(fingerprint_of(model), quantity, kernel, runs, settings, versions)


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python3 -m lab.benchmarks.start lab/benchmarks/general.py",
                                     description="The profile for models that nobody has measured.")
    parser.add_argument("do", choices=("measure", "make"))
    parser.add_argument("--models", nargs="+", type=Path, metavar="FILE", help="weights; all of demo/weights otherwise")
    parser.add_argument("--captions", type=whole, default=CAPTIONS, metavar="N", help="full runs of each model")
    given = parser.parse_args(arguments)
    if given.do == "make":
        print(*make(), sep="\n")
        return
    for weights in given.models or sorted(WEIGHTS.glob("*.safetensors")):
        for made in measured(Subject(weights), given.captions).values():
            print(write(KERNELS, weights.stem, made), flush=True)


if __name__ == "__main__":
    main()
