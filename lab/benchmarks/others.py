"""What was measured of models other than the one at hand: profiles in lab/benchmarks/kernels, all at the same times
(general.py)."""

from pathlib import Path
from typing import Sequence

import numpy as np

from ...blockdance_core.auto.kernel import Kernel
from ...blockdance_core.auto.profile import Profile, read
from ...blockdance_core.plan.schedule import Quantity

KERNELS = Path(__file__).with_name("kernels")


def of_others(name: str, quantity: Quantity, folder: Path = KERNELS) -> Kernel:
    """The mean of all measured models but this one. Raises ValueError where there is none."""
    others = [path for path in files(quantity, folder) if model_of(path, quantity) != name]
    if not others:
        raise ValueError(f"{folder} has no profile of another model than {name}: measure some with\n  python3 -m "
                         "lab.benchmarks.start lab/benchmarks/general.py measure")
    return pooled([read(path).kernel for path in others])


def pooled(kernels: Sequence[Kernel]) -> Kernel:
    """The mean, at the times of the first. What was measured at other times is first estimated at those."""
    times = kernels[0].times
    grams = [kernel.gram if kernel.measured_at(times) else kernel.at(times) for kernel in kernels]
    gram = sum(gram / (np.trace(gram) / len(gram)) for gram in grams) / len(grams)
    return Kernel(times, gram)


def write(folder: Path, name: str, profile: Profile) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{profile.quantity.value}.json"
    path.write_text(profile.dump(), encoding="utf-8")
    return path


def files(quantity: Quantity, folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*-{quantity.value}.json"))


def model_of(path: Path, quantity: Quantity) -> str:
    return path.stem.removesuffix(f"-{quantity.value}")
