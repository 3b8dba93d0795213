"""Latents in which several are packed one after the other, as picture and sound: each has weights of its own.

All streams follow one plan, which is as good as its worst stream. Each kernel is scaled to its own size, so a stream of
few numbers counts as much as a large one.
"""

from dataclasses import replace
from typing import Sequence

import numpy as np
import torch

from ..plan.extrapolation import OutputExtrapolation
from ..plan.schedule import Stretch
from .kernel import Kernel
from .outputs import Outputs
from .weights import KernelExtrapolation


def parts_of(tensor: torch.Tensor, sizes: Sequence[int]) -> tuple[torch.Tensor, ...]:
    """The streams of a latent or an output, (B, ..., N) each; all as one where it is packed otherwise."""
    return tensor.split(list(sizes), -1) if sum(sizes) == tensor.shape[-1] else (tensor,)


def of_stream(extrapolation: KernelExtrapolation, stream: int) -> KernelExtrapolation:
    """That of a stream; of all where they were not measured apart."""
    kernels = extrapolation.kernel.streams
    return replace(extrapolation, kernel=kernels[stream]) if stream < len(kernels) else extrapolation


def seen_by(kernel: Kernel, sizes: Sequence[int]) -> Kernel:
    """The kernel for a run whose latent has streams of these sizes: as one where others were measured."""
    return kernel if len(kernel.streams) in (0, len(sizes)) else replace(kernel, streams=())


def grams_of(extrapolation: KernelExtrapolation, times: Sequence[float]) -> np.ndarray:
    """What is known of the outputs of each stream at these times: (S, T, T); of all as one where they were not measured
    apart."""
    streams = range(max(1, len(extrapolation.kernel.streams)))
    return np.stack([of_stream(extrapolation, stream).gram(times) for stream in streams])


def outputs_of(extrapolation: OutputExtrapolation, stretches: Sequence[Stretch], sizes: Sequence[int]
               ) -> "Outputs | StreamOutputs":
    """What keeps the outputs of a run whose latent has streams of these sizes."""
    if len(sizes) > 1 and isinstance(extrapolation, KernelExtrapolation):
        return StreamOutputs(extrapolation, stretches, sizes)
    return Outputs(extrapolation, stretches)


class StreamOutputs:
    """Keeps the latest computed outputs as Outputs does, one for each stream."""

    def __init__(self, extrapolation: KernelExtrapolation, stretches: Sequence[Stretch], sizes: Sequence[int]):
        self._sizes = tuple(sizes)
        self._apart = max(1, len(extrapolation.kernel.streams))
        self._streams = [Outputs(of_stream(extrapolation, stream), stretches) for stream in range(len(sizes))]

    @property
    def as_planned(self) -> bool:
        return self._streams[0].as_planned

    @property
    def broke(self) -> bool:
        """Whether the latest output of any stream was nothing like its forecast."""
        return any(stream.broke for stream in self._streams)

    @property
    def error(self) -> np.ndarray | None:
        """Of the latent, (S, N), one for each stream that was measured apart."""
        errors = [stream.error for stream in self._streams]
        return None if any(error is None for error in errors) else np.stack(errors)[:self._apart]

    @property
    def bytes(self) -> int:
        return sum(stream.bytes for stream in self._streams)

    @property
    def peak_bytes(self) -> int:
        return sum(stream.peak_bytes for stream in self._streams)

    def follow(self, extrapolation: KernelExtrapolation) -> None:
        self._apart = max(1, len(extrapolation.kernel.streams))
        for number, stream in enumerate(self._streams):
            stream.follow(of_stream(extrapolation, number))

    def leave_plan(self) -> None:
        for stream in self._streams:
            stream.leave_plan()

    def clear(self) -> None:
        for stream in self._streams:
            stream.clear()

    def fit(self, latent: torch.Tensor) -> bool:
        return all([stream.fit(part) for stream, part in self._each(latent)])

    def computed(self, time: float, output: torch.Tensor) -> torch.Tensor:
        parts = [(stream, part.clone()) for stream, part in self._each(output)]  # a view would keep all of the output
        given = [stream.computed(time, part) for stream, part in parts]
        same = all(one is part for one, (_, part) in zip(given, parts))
        return output if same else torch.cat(given, -1)

    def forecast(self, time: float) -> torch.Tensor:
        return torch.cat([stream.forecast(time) for stream in self._streams], -1)

    def _each(self, tensor: torch.Tensor) -> list[tuple[Outputs, torch.Tensor]]:
        parts = parts_of(tensor, self._sizes)
        if len(parts) != len(self._streams):
            raise ValueError(f"a latent of {tensor.shape[-1]} numbers where its streams have {self._sizes}")
        return list(zip(self._streams, parts))
