"""What a sampler does with the model, as a run shows it: tables of names do not know the samplers of other packs.

A sampler that adds no noise makes its next latent of the latents and outputs so far, so that nothing of it lies outside
of their span but rounding. Fresh noise does, by about as much as the noise level. Whether it evaluates once a step
shows in the sigmas that it asks for, and whether it takes more than the output in the functions that it puts in.
"""

from dataclasses import replace
from typing import Callable, Protocol

import numpy as np
import torch

from ..schedule import TOLERANCE, Origin, SamplerTraits, Schedule

SAMPLED = 2 ** 13  # numbers of a latent and of an output, 64 KiB an evaluation
MEMORY = 8  # evaluations before a latent that it may be made of; ComfyUI's samplers read up to 4
TRACE = .01  # of the noise level: less is rounding, or too little to matter
SOME = .25  # of the evaluations: a sampler adds noise if it shows at so many


class Samplers(Protocol):
    """Keeps what was observed of samplers, by SamplerTraits.key."""

    def find(self, key: str) -> SamplerTraits | None:
        """What was observed of this one."""

    def keep(self, traits: SamplerTraits) -> bool:
        """Whether it could be kept."""


class Places:
    """The same numbers of each tensor of a run, chosen at random, `most` of them at most."""

    def __init__(self, most: int):
        self._most = most
        self._chosen: torch.Tensor | None = None
        self._size = 0

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) -> (n,), a copy in float32."""
        if self._chosen is None or self._size != tensor.numel() or self._chosen.device != tensor.device:
            generator = torch.Generator().manual_seed(0)  # its own: the sampler's noise must not change
            self._size = count = tensor.numel()
            places = torch.arange(count)
            if count > self._most:
                places = torch.randperm(count, generator=generator)[:self._most]
            self._chosen = places.to(tensor.device)
        return tensor.flatten()[self._chosen].float()


class Observation:
    """Of the sampler of one run."""

    def __init__(self, schedule: Schedule):
        self._schedule = schedule
        self._places = Places(SAMPLED)
        self._sigmas: list[float] = []
        self._heard: list[torch.Tensor] = []  # (2, n) each: a latent and what was made of it
        self._whole = True

    def hear(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        """As of a Listener (plan.py)."""
        self._sigmas.append(sigma)
        self._heard.append(torch.stack([self._places.of(latent), self._places.of(denoised)]))
        self._whole = self._whole and whole

    def traits(self) -> SamplerTraits | None:
        """None where the run does not show enough. What it was made of is forgotten."""
        heard, self._heard = self._heard, []
        if not self._schedule.sampler.shown or len(heard) < 3 or len({len(pair[0]) for pair in heard}) > 1:
            return None
        fresh = fresh_noise(torch.stack(heard).double().cpu().numpy(), self._sigmas)
        if fresh is None:
            return None
        # the unconditional part, which a sampler that takes more has used, is not heard, so noise cannot be told
        steady = self._schedule.sampler.steady if not self._whole else bool((fresh > TRACE).mean() < SOME)
        return replace(self._schedule.sampler, counted=self._counted(), steady=steady, whole=self._whole,
                       origin=Origin.RUN)

    def _counted(self) -> bool:
        """Whether there was one evaluation a step, in order, as far as the noise falls."""
        stretches = self._schedule.stretches
        last = stretches[-1].steps[-1] if stretches else 0
        return last < len(self._sigmas) <= self._schedule.steps and all(
            abs(sigma - wanted) <= TOLERANCE * sigma for sigma, wanted in zip(self._sigmas, self._schedule.sigmas))


class Watch:
    """A Listener that keeps what it has observed of a sampler."""

    def __init__(self, schedule: Schedule, samplers: Samplers):
        self._observation = Observation(schedule)
        self._samplers = samplers

    def hear(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        self._observation.hear(latent, denoised, sigma, whole)

    def finish(self) -> str:
        return told(self._observation.traits(), self._samplers.keep)


def told(traits: SamplerTraits | None, keep: Callable[[SamplerTraits], bool]) -> str:
    """Keep what was observed, and what to say of it."""
    if traits is None or not keep(traits):
        return ""
    noise = "adds noise" if not traits.steady and traits.whole else "adds no noise" if traits.steady else ""
    often = "evaluates once a step" if traits.counted else "does not evaluate once a step"
    more = "" if traits.whole else "takes more than the output"
    return f"seen of this sampler, for later runs: it {', '.join(filter(None, (noise, often, more)))}"


def fresh_noise(heard: np.ndarray, sigmas: list[float]) -> np.ndarray | None:
    """How much of each latent but the first is not made of the latents and outputs before it, as a share of the noise
    level: (T - 1,). None where there are too few numbers to tell.

    heard: (T, 2, n), the latents and outputs.
    """
    count = heard.shape[-1]
    if count < 8 * MEMORY or not np.isfinite(heard).all():
        return None
    found = []
    for now in range(1, len(heard)):
        if sigmas[now] <= 0:
            continue
        before = heard[max(0, now - MEMORY):now].reshape(-1, count)
        columns = np.concatenate([before / np.maximum(np.linalg.norm(before, axis=1, keepdims=True), 1e-30),
                                  heard[now, :1]])
        outside = abs(np.linalg.qr(columns.T, mode="r")[-1, -1])
        found.append(outside / np.sqrt(count - len(before)) / sigmas[now])
    return np.array(found) if found else None
