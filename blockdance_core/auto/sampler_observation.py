"""What a sampler does with the model, as a run shows it: tables of names do not know the samplers of other packs.

A sampler that adds no noise makes its next latent of the latents and outputs so far, so that nothing of it lies outside
of their span but rounding. Fresh noise does, by about as much as the noise level. Whether it evaluates once a step
shows in the sigmas that it asks for, and whether it takes more than the output in the functions that it puts in.
"""

from dataclasses import dataclass, replace
from typing import Callable, Protocol

import numpy as np
import torch

from ..engine.controller import Kept, Moment, Replanner, Setup
from ..plan.plan import Plan
from ..plan.schedule import TOLERANCE, Origin, SamplerTraits, Schedule
from .constants import NOISE_SHARE, NOISE_TRACE

SAMPLED = 2 ** 12  # numbers of a latent and of an output
MEMORY = 8  # evaluations before a latent that it may be made of; ComfyUI's samplers read up to 4
FEWEST = 8 * MEMORY  # numbers: fewer are nearly spanned by what is compared


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

    @property
    def count(self) -> int:
        """How many numbers it takes of each tensor."""
        return min(self._most, self._size)

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
        self._recent: list[np.ndarray] = []  # (2, n) each, unit length: the latest latents and outputs
        self._fresh: dict[int, float | None] = {}  # noise of each latent but the first, by evaluation
        self._whole = True

    def noise(self, latent: torch.Tensor, sigma: float) -> float | None:
        """How much of the next latent is made of none before it and of no output, as a share of the noise level; None
        where that cannot be told."""
        now = len(self._sigmas)
        if now not in self._fresh:
            self._fresh[now] = self._outside(latent, sigma)
        return self._fresh[now]

    def _outside(self, latent: torch.Tensor, sigma: float) -> float | None:
        taken = self._places.of(latent).cpu().double().numpy()
        before = np.concatenate(self._recent)  # (2 * T, n)
        if sigma <= 0 or before.shape[1] != len(taken) or len(taken) < FEWEST or not (
                np.isfinite(before).all() and np.isfinite(taken).all()):
            return None
        outside = abs(np.linalg.qr(np.concatenate([before, taken[None]]).T, mode="r")[-1, -1])
        return float(outside / np.sqrt(len(taken) - len(before)) / sigma)

    def observe(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        """As of an Observer (engine/controller.py)."""
        if self._schedule.sampler.shown:
            if self._recent:
                self.noise(latent, sigma)
            pair = torch.stack([self._places.of(latent), self._places.of(denoised)]).cpu().double().numpy()
            if self._recent and self._recent[0].shape != pair.shape:  # another size of picture
                self._recent = []
            unit = pair / np.maximum(np.linalg.norm(pair, axis=1, keepdims=True), 1e-30)
            self._recent = [*self._recent, unit][-MEMORY:]
        self._sigmas.append(sigma)
        self._whole = self._whole and whole

    def traits(self) -> SamplerTraits | None:
        """None where the run does not show enough."""
        self._recent, self._places = [], Places(SAMPLED)  # the report of a run outlives it
        begins = rises(self._schedule)
        shares = np.array([share for now, share in self._fresh.items() if share is not None and now not in begins])
        if not self._schedule.sampler.shown or not len(shares):
            return None
        # where it takes more than the output, the rest is not seen here and looks like noise
        steady = self._whole and bool((shares > NOISE_TRACE).mean() < NOISE_SHARE)
        return replace(self._schedule.sampler, counted=self._counted(), steady=steady, whole=self._whole,
                       origin=Origin.RUN)

    def _counted(self) -> bool:
        """Whether there was one evaluation a step, in order, as far as the noise falls."""
        stretches = self._schedule.stretches
        last = stretches[-1].steps[-1] if stretches else 0
        return last < len(self._sigmas) <= self._schedule.steps and all(
            abs(sigma - wanted) <= TOLERANCE * sigma for sigma, wanted in zip(self._sigmas, self._schedule.sigmas))


def rises(schedule: Schedule) -> set[int]:
    """The steps at which the noise has risen, which takes new noise of any sampler."""
    return {stretch.steps[0] for stretch in schedule.stretches}


def setup_for(schedule: Schedule, samplers: Samplers | None, plan_for: Callable[[SamplerTraits, bool], Setup]
            ) -> Setup:
    """What a run begins with whose sampler may not be known.

    plan_for: the plan for what a sampler is taken for, and whether the run may be one that records. A sampler that is
    not known is taken for what was seen of it, or else for one that adds no noise until it is seen to.
    """
    if schedule.sampler.origin is not Origin.GUESS:
        return plan_for(schedule.sampler, True)
    known = observed(samplers, schedule.sampler)
    sampler = known or assumed(schedule.sampler)
    setup = plan_for(sampler, True)
    setup = replace(setup, plan=replace(setup.plan, sampler=sampler))
    if setup.observer is not None or not sampler.shown:  # it records, and watches meanwhile
        return setup
    watch = SamplerWatch(schedule, None if known else samplers)
    if setup.plan.extrapolation is not None and sampler.steady:
        def noisy(seen: bool) -> Setup:
            return plan_for(replace(sampler, steady=False, origin=Origin.RUN if seen else Origin.GUESS), False)
        watch.replanner, watch.noisy = setup.replanner, noisy
        return replace(setup, observer=watch, replanner=watch)
    return setup if known else replace(setup, observer=watch)


def assumed(sampler: SamplerTraits) -> SamplerTraits:
    """What a plan may take a sampler for that is not known, as long as the run is watched and does not show more."""
    return replace(sampler, counted=True, steady=True) if sampler.shown and sampler.whole else sampler


def observed(samplers: Samplers | None, sampler: SamplerTraits) -> SamplerTraits | None:
    """What runs have shown of a sampler."""
    if samplers is None or not sampler.key:
        return None
    found = samplers.find(sampler.key)
    return found and replace(sampler, counted=found.counted, steady=found.steady, whole=found.whole, origin=Origin.RUN)


@dataclass
class SamplerWatch:
    """The Observer and Replanner of a run by a sampler that is not known by its name: it keeps what it has observed,
    and goes by another plan from the first noise on.

    replanner: of the plan that is followed; noisy: the plan for a sampler that adds noise, if that is another, where
    noise was seen (True) or it cannot be told (False).
    """
    schedule: Schedule
    samplers: Samplers | None
    replanner: Replanner | None = None
    noisy: Callable[[bool], Setup] | None = None

    def __post_init__(self):
        self._observation = Observation(self.schedule)
        self._observed = False

    def observe(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        self._observation.observe(latent, denoised, sigma, whole)
        self._observed = True

    def replan(self, moment: Moment, kept: Kept | None = None) -> Plan | None:
        sigma = self.schedule.sigmas[moment.step]
        if self._observed and self.noisy is not None and sigma > 0 and moment.step not in rises(self.schedule):
            share = self._observation.noise(moment.latent, sigma)
            if share is None or share > NOISE_TRACE:
                setup, self.noisy = self.noisy(share is not None), None
                self.replanner = setup.replanner
                begin = replace(moment, step=0)  # what its replanner would have looked at before the run
                return self.replanner and self.replanner.replan(begin, kept) or setup.plan
        return self.replanner and self.replanner.replan(moment, kept)

    def finish(self) -> str:
        return keep_observed(self._observation.traits(), self.samplers)


def keep_observed(traits: SamplerTraits | None, samplers: Samplers | None) -> str:
    """Keep what was observed, and what to say of it."""
    if traits is None or samplers is None or not samplers.keep(traits):
        return ""
    noise = ("adds no noise" if traits.steady else "adds noise") if traits.whole else "takes more than the output"
    often = "evaluates the model once a step" if traits.counted else "does not evaluate the model once a step"
    return f"seen of this sampler, for later runs: it {noise} and {often}"
