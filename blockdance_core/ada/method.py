"""BlockDance-Ada as a method (BlockDance, section 3.3): a network looks once and decides for the steps that follow.

Decisions of one number of steps are carried over to another through normalised time, from rho (0) to the end (1).
"""

import math
import time
from dataclasses import dataclass, field
from typing import Mapping, Sequence

import numpy as np
import torch

from ..engine.controller import Kept, Moment, PlanController, Setup
from ..methods.blockdance import FEWEST_STEPS
from ..methods.method import check_fraction
from ..plan.plan import COMPUTE, Decision, Kind, Plan, Reuse, Span, Transformer
from ..plan.schedule import Schedule
from ..words import are, count
from .network import COMPUTED, Choices, DecisionNetwork, State, cautious


def transfer(decisions: Sequence[int], steps: int, begin: float = 0., end: float = 1.) -> tuple[int, ...]:
    """The decisions for `steps` steps that share the normalised time from `begin` to `end` evenly.

    A pattern such as "compute every second step" would be lost if each step took over what stands at its time. So it is
    the computed steps that are counted: at any time as large a share of the steps before it is computed as in the
    original. Borders are those of the nearest reusing step. As many steps of the whole time are the original itself.
    """
    if not 0 <= begin < end <= 1:
        raise ValueError(f"a part of normalised time from {begin:g} to {end:g}; use 0 <= begin < end <= 1")
    count = len(decisions)
    ends = [index + 1. for index, decision in enumerate(decisions) if decision == COMPUTED]
    scale = steps / (count * (end - begin))

    def computed(time: float) -> int:
        """How many of the new steps before a time are to be computed. Between two of the original's it grows evenly."""
        so_far = np.interp(time * count, [0., *ends], range(len(ends) + 1))
        return math.floor(so_far * scale + 1e-6)

    reusing = [index for index, decision in enumerate(decisions) if decision != COMPUTED]
    times = [begin + (end - begin) * step / steps for step in range(steps + 1)]
    result = []
    for start, stop in zip(times, times[1:]):
        if not reusing or computed(stop) > computed(start):
            result.append(COMPUTED)
        else:
            middle = (start + stop) / 2 * count - .5
            result.append(decisions[min(reusing, key=lambda index: abs(index - middle))])
    return tuple(result)


RHO = .4


@dataclass(frozen=True)
class AdaMethod:
    """A trained policy in use.

    network: a trained one; borders: the deepest block of each span to choose from, ascending; rho: the share of the
    sampling that is computed in full; threshold: a step is computed where m is above it, 0.5 in the paper."""
    network: DecisionNetwork
    borders: tuple[int, ...]
    rho: float = RHO
    threshold: float = .5
    name: str = "BlockDance-Ada"

    def __post_init__(self):
        check_fraction("rho", self.rho)
        check_fraction("threshold", self.threshold)
        if self.rho == 1:
            raise ValueError("rho is 1, which leaves no step to decide about; use less, such as 0.4")
        check_borders(self.borders)
        if len(self.borders) != self.network.sizes.borders:
            raise ValueError(f"{count(len(self.borders), 'border')} for a network that chooses from "
                             f"{self.network.sizes.borders}")

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        """Everything computed, until the network has looked."""
        return self.setup(schedule, transformer).plan

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        return PlanController(self.setup(schedule, transformer), schedule)

    def setup(self, schedule: Schedule, transformer: Transformer) -> Setup:
        """What a run begins with."""
        reuses = spans(self.borders, transformer)
        steps = schedule.steps
        full = (COMPUTE,) * steps
        window = schedule.window(self.rho, 1.)
        if steps < FEWEST_STEPS:
            return Setup(Plan(full, f"nothing reused: {are(steps, 'step')} too few, use {FEWEST_STEPS} or more"))
        first = max(1, window[0]) if window else steps
        if first >= steps:
            return Setup(Plan(full, f"nothing to reuse: no step of this run lies after {self.rho:.0%} of sampling"))
        begin, end = (normalised(schedule, step, self.rho) for step in (window[0], steps))
        decisions = (*full[:first - 1], Decision(store=reuses), *full[first:])
        plan = Plan(decisions,
                    f"step {first} decides which of the {count(steps - first, 'step')} from there on to reuse")
        return Setup(plan, _DecidesOnce(self.network, self.threshold, reuses, first, steps, begin, end))


@dataclass
class _DecidesOnce:
    """A Replanner that looks once, at the first evaluation after rho of the sampling."""
    network: DecisionNetwork
    threshold: float
    reuses: tuple[Reuse, ...]
    first: int
    steps: int
    begin: float
    end: float
    _decided: bool = field(default=False, init=False)
    _started: float | None = field(default=None, init=False)

    def replan(self, moment: Moment, kept: Kept | None = None) -> Plan | None:
        if self._started is None:
            self._started = _now(moment.latent)
        if self._decided or moment.step < self.first:
            return None
        self._decided = True
        before = _now(moment.latent)
        state = state_of(moment.latent, moment.conditions["positive"])
        chosen = transfer(decide(self.network, state, self.threshold), self.steps - self.first, self.begin, self.end)
        took = time.perf_counter() - before
        step = (before - self._started) / moment.step
        reuses = [None] * self.first + [self.reuses[choice - 1] if choice else None for choice in chosen]
        words = (f"{sum(map(bool, chosen))} of the last {count(len(chosen), 'step')} reuse, decided in "
                 f"{1000 * took:.0f} ms")
        return Plan.from_reuses(reuses, words + f" ({took / step:.1%} of a step)" if step > 0 else words)


def decide(network: DecisionNetwork, state: State, threshold: float = .5) -> tuple[int, ...]:
    """The decisions of the steps that the network was trained for, one for the whole batch."""
    with torch.inference_mode():
        return cautious(Choices(*network(state)).greedy(threshold))


def state_of(latent: torch.Tensor, conditions: Sequence[Mapping]) -> State:
    """What the network sees of a run: its latent, and the first of its positive conditions, where there is one."""
    first = conditions[0] if conditions else {}
    text, pooled = (_for_batch(first.get(name), len(latent)) for name in ("cross_attn", "pooled_output"))
    return State(latent.float(), text, pooled)


def _for_batch(value: torch.Tensor | None, batch: int) -> torch.Tensor | None:
    """An embedding for each sample, as ComfyUI repeats them where there are fewer."""
    if not isinstance(value, torch.Tensor):
        return None
    return value.float().repeat((-(-batch // len(value)),) + (1,) * (value.ndim - 1))[:batch]


def normalised(schedule: Schedule, step: int, rho: float) -> float:
    """When a step begins, in normalised time: 0 where rho of the sampling is done, 1 at its end."""
    return round(max(0., schedule.percent_at(schedule.sigmas[step]) - rho) / (1 - rho), 3)


def spans(borders: Sequence[int], transformer: Transformer) -> tuple[Reuse, ...]:
    """The spans to choose from. Raises ValueError where the model has no such block."""
    if borders[-1] >= transformer.depth:
        raise ValueError(f"the policy reuses up to block {borders[-1]}, but {transformer.name} has "
                         f"{count(transformer.depth, 'block')}: use a policy that was trained on this model")
    return tuple(Reuse(Span(0, border), Kind.FEATURE) for border in borders)


def check_borders(borders: Sequence[int]) -> None:
    if not borders or borders[0] < 0 or list(borders) != sorted(set(borders)):
        raise ValueError(f"borders are {', '.join(map(str, borders)) or 'none'}; give block numbers from 0, ascending")


def _now(latent: torch.Tensor) -> float:
    """The time when the work so far is done: reading a number waits for the device."""
    latent.flatten()[0].item()
    return time.perf_counter()
