"""What many models have in common: the profile `general`, and what it is worth to a model that is not among them.

    python3 -m lab.benchmarks.start lab/benchmarks/general.py measure [--models FILE ...] [--captions N]
    python3 -m lab.benchmarks.start lab/benchmarks/general.py make

`measure` writes a profile of each model into lab/benchmarks/kernels: the mean of full runs of calibration captions, all
models at the same times. `make` takes their mean and writes the profiles that come with the pack, one for each
quantity. The benchmark gives each model the mean of all others (`of_others`), so that its rows say what a model gets
that nobody has measured.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Iterable, Sequence

import comfyui_version
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher

from blockdance.blockdance_core.auto import profile_library
from blockdance.blockdance_core.auto.kernel import SAME, Kernel
from blockdance.blockdance_core.auto.method import MeasureMethod
from blockdance.blockdance_core.auto.profile import Fingerprint, Profile
from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.fingerprint import fingerprint_of
from blockdance.blockdance_core.comfy.models.any_model import ANYTHING
from blockdance.blockdance_core.plan.flow_time import Quantity
from blockdance.lab.benchmarks.arm import Calibration
from blockdance.lab.benchmarks.options import WEIGHTS, whole
from blockdance.lab.benchmarks.subject import Subject

KERNELS = Path(__file__).with_name("kernels")
STEPS, SHIFT = 40, 1.5  # of the measuring runs: their times lie between those of a picture's and a video's schedule
CAPTIONS = 6
SAMPLERS = {Quantity.VELOCITY: "euler", Quantity.PICTURE: "euler_ancestral"}


def measured(subject: Subject, captions: int = CAPTIONS, steps: int = STEPS) -> dict[Quantity, Profile]:
    """The profiles of a model, by full runs of calibration captions."""
    found: dict[Quantity, Profile] = {}
    for quantity, sampler in SAMPLERS.items():
        setting = replace(subject.base, steps=steps, sampler=sampler, shift=SHIFT)
        runs: list[Kernel] = []
        recording = attach(subject.patcher, MeasureMethod(lambda _, kernel: runs.append(kernel) or ""), family=ANYTHING)
        Calibration(subject, setting, captions=captions).draw(recording)
        found[quantity] = _profile(subject.patcher, quantity, pooled(runs), len(runs), {
            "steps": steps, "cfg": setting.cfg, "sampler": sampler, "scheduler": setting.scheduler, "shift": SHIFT})
    return found


def pooled(kernels: Sequence[Kernel]) -> Kernel:
    """The mean, at the times of the first. What was measured at other times is first estimated at those."""
    times = kernels[0].times
    grams = [kernel.gram if _same(kernel.times, times) else kernel.at(times) for kernel in kernels]
    gram = sum(gram / (np.trace(gram) / len(gram)) for gram in grams) / len(grams)
    return Kernel(times, gram)


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


def of_others(name: str, quantity: Quantity, folder: Path = KERNELS) -> Kernel:
    """The mean of all measured models but this one. Raises ValueError where there is none."""
    others = [path for path in _files(quantity, folder) if _model(path, quantity) != name]
    if not others:
        raise ValueError(f"{folder} has no profile of another model than {name}: measure some with\n  python3 -m "
                         "lab.benchmarks.start lab/benchmarks/general.py measure")
    return pooled([profile_library.read(path).kernel for path in others])


def write(folder: Path, name: str, profile: Profile) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{profile.quantity.value}.json"
    path.write_text(profile.dump(), encoding="utf-8")
    return path


def make(kernels: Path = KERNELS, into: Path = profile_library.GENERAL) -> list[Path]:
    """The general profile of each quantity, written into a folder; returns the files."""
    written = []
    for quantity in Quantity:
        files = _files(quantity, kernels)
        if not files:
            sys.exit(f"error: {kernels} has no profiles: run `measure` first")
        made = general([profile_library.read(path) for path in files], [_model(path, quantity) for path in files])
        into.mkdir(parents=True, exist_ok=True)
        path = into / f"{quantity.value}.json"
        path.write_text(made.dump(), encoding="utf-8")
        written.append(path)
    return written


def _profile(model: ModelPatcher, quantity: Quantity, kernel: Kernel, runs: int,
             settings: dict[str, str | int | float]) -> Profile:
    versions = {"comfyui": comfyui_version.__version__, "torch": torch.__version__}
    return Profile(fingerprint_of(model), quantity, kernel, runs, settings, versions)


def _same(times: np.ndarray, others: np.ndarray) -> bool:
    return len(times) == len(others) and np.allclose(times, others, atol=SAME)


def _files(quantity: Quantity, folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*-{quantity.value}.json"))


def _model(path: Path, quantity: Quantity) -> str:
    return path.stem.removesuffix(f"-{quantity.value}")


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
        for profile in measured(Subject(weights), given.captions).values():
            print(write(KERNELS, weights.stem, profile), flush=True)


if __name__ == "__main__":
    main()
