"""An imagined model whose outputs are known at every time, and Auto as it is measured on it."""

import numpy as np
import torch

from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.measurement import kernel_of
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import Fingerprint, general
from blockdance.blockdance_core.plan.plan import Transformer

PIXART = Transformer("PixArtMS", (28,))
FINGERPRINT = Fingerprint("PixArtMS", (28,), 600_000_000, False)


def curve(times: np.ndarray, dimensions: int = 400, roughness: float = 0.) -> torch.Tensor:
    """Outputs (T, n) of an imagined model, smooth in time, which every call continues alike."""
    rng = np.random.default_rng(3)
    outputs = sum(rng.normal(size=dimensions) * np.cos(k * np.asarray(times)[:, None] + rng.uniform(0, 6, dimensions))
                  / k ** 2 for k in range(1, 8))
    return torch.from_numpy(outputs + roughness * rng.normal(size=outputs.shape))


def even(steps: int) -> np.ndarray:
    return 1 - np.arange(steps) / steps


def kernel(steps: int = 20, roughness: float = 0.) -> Kernel:
    return kernel_of(list(even(steps)), curve(even(steps), roughness=roughness))


def auto(speedup: float, measured: Kernel | None = None, **more) -> AutoMethod:
    return AutoMethod(speedup, lambda quantity, steps: measured, general, **more)


def run(steps: int, begin: float = 1., end: float = 0.) -> tuple[float, ...]:
    """The times of a run through this range of noise, in even steps."""
    return tuple(np.linspace(begin, end, steps + 1).tolist())
