"""Listens to the outputs of a full run and makes a kernel of them."""

from typing import Callable

import numpy as np
import torch

from ..flow_time import FlowTime, Quantity
from .kernel import Kernel

SAMPLED = 2 ** 17  # numbers kept of an evaluation, 512 KiB; 50 evaluations take 25 MiB at most


class Recorder:
    """A Listener (blockdance_core/plan.py). `save` gets the kernel of a finished run and says what came of it."""

    def __init__(self, flow_time: FlowTime, quantity: Quantity, save: Callable[[Quantity, Kernel], str]):
        self._flow_time = flow_time
        self._quantity = quantity
        self._save = save
        self._times: list[float] = []
        self._samples: list[torch.Tensor] = []
        self._places: torch.Tensor | None = None

    def hear(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float) -> None:
        if self._places is None:  # the same numbers at each evaluation
            generator = torch.Generator().manual_seed(0)  # its own: the sampler's noise must not change
            count = denoised.numel()
            places = torch.randperm(count, generator=generator)[:SAMPLED] if count > SAMPLED else torch.arange(count)
            self._places = places.to(denoised.device)
        self._times.append(self._flow_time.time(sigma))
        latent, denoised = (tensor.flatten()[self._places].float() for tensor in (latent, denoised))
        self._samples.append(self._flow_time.read(self._quantity, latent, denoised, sigma))

    def finish(self) -> str:
        outputs = torch.stack(self._samples).cpu()
        self._samples, self._places = [], None  # the report of a run outlives it
        return self._save(self._quantity, kernel_of(self._times, outputs))


def kernel_of(times: list[float], outputs: torch.Tensor) -> Kernel:
    """The kernel of the outputs (T, n) of one run."""
    outputs = outputs.double()  # the products differ in the eighth digit
    gram = (outputs @ outputs.T).numpy()
    return Kernel(np.array(times), gram / (np.trace(gram) / len(gram)))
