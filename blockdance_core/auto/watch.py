"""A run by a sampler that is not known by its name: planned by what was seen of it, or watched."""

from dataclasses import dataclass, replace
from typing import Callable

import torch

from ..plan import Adviser, Moment, Plan
from ..schedule import Origin, SamplerTraits, Schedule
from .observation import TRACE, Observation, Samplers, rises


def watched(schedule: Schedule, samplers: Samplers | None, plan_for: Callable[[SamplerTraits, bool], Plan]) -> Plan:
    """The plan of a run whose sampler may not be known.

    plan_for: the plan for what a sampler is taken for, and whether the run may be one that records. A sampler that is
    not known is taken for what was seen of it, or else for one that adds no noise until it is seen to.
    """
    if schedule.sampler.origin is not Origin.GUESS:
        return plan_for(schedule.sampler, True)
    known = observed(samplers, schedule.sampler)
    sampler = known or hoped(schedule.sampler)
    plan = replace(plan_for(sampler, True), sampler=sampler)
    if plan.listener is not None or not sampler.shown:  # it records, and watches meanwhile
        return plan
    watch = Watch(schedule, None if known else samplers)
    if plan.forecaster is not None and sampler.steady:
        def noisy(seen: bool) -> Plan:
            return plan_for(replace(sampler, steady=False, origin=Origin.RUN if seen else Origin.GUESS), False)
        watch.adviser, watch.noisy = plan.adviser, noisy
        return replace(plan, listener=watch, adviser=watch)
    return plan if known else replace(plan, listener=watch)


def hoped(sampler: SamplerTraits) -> SamplerTraits:
    """What a plan may take a sampler for that is not known, as long as the run is watched and does not show more."""
    return replace(sampler, counted=True, steady=True) if sampler.shown and sampler.whole else sampler


def observed(samplers: Samplers | None, sampler: SamplerTraits) -> SamplerTraits | None:
    """What runs have shown of a sampler."""
    if samplers is None or not sampler.key:
        return None
    found = samplers.find(sampler.key)
    return found and replace(sampler, counted=found.counted, steady=found.steady, whole=found.whole, origin=Origin.RUN)


@dataclass
class Watch:
    """The Listener and Adviser (plan.py) of a run by a sampler that is not known by its name: it keeps what it has
    observed, and goes by another plan from the first noise on.

    adviser: of the plan that is followed; noisy: the plan for a sampler that adds noise, if that is another, where
    noise was seen (True) or it cannot be told (False).
    """
    schedule: Schedule
    samplers: Samplers | None
    adviser: Adviser | None = None
    noisy: Callable[[bool], Plan] | None = None

    def __post_init__(self):
        self._observation = Observation(self.schedule)
        self._heard = False

    def hear(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        self._observation.hear(latent, denoised, sigma, whole)
        self._heard = True

    def advise(self, moment: Moment) -> Plan | None:
        sigma = self.schedule.sigmas[moment.step]
        if self._heard and self.noisy is not None and sigma > 0 and moment.step not in rises(self.schedule):
            share = self._observation.noise(moment.latent, sigma)
            if share is None or share > TRACE:
                plan, self.noisy = self.noisy(share is not None), None
                self.adviser = plan.adviser
                begin = replace(moment, step=0)  # what its adviser would have looked at before the run
                return self.adviser and self.adviser.advise(begin) or plan
        return self.adviser and self.adviser.advise(moment)

    def finish(self) -> str:
        return told(self._observation.traits(), self.samplers)


def told(traits: SamplerTraits | None, samplers: Samplers | None) -> str:
    """Keep what was observed, and what to say of it."""
    if traits is None or samplers is None or not samplers.keep(traits):
        return ""
    noise = ("adds no noise" if traits.steady else "adds noise") if traits.whole else "takes more than the output"
    often = "evaluates the model once a step" if traits.counted else "does not evaluate the model once a step"
    return f"seen of this sampler, for later runs: it {noise} and {often}"
