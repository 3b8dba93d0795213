"""Full runs as they were: what static methods learn from."""

from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch

from ....blockdance_core.engine.controller import PlanController, Setup
from ....blockdance_core.plan.plan import Plan, Transformer
from ....blockdance_core.plan.schedule import FlowTime, Quantity, Schedule


@dataclass(frozen=True)
class Trajectory:
    """One full run in the terms of a flow, from noise (1) to picture (0). velocities: (T, N) of its evaluations, after
    guidance; latents: (T + 1, N) that they were made at, and the result, Euler's where the sampler has another."""
    schedule: Schedule
    velocities: torch.Tensor
    latents: torch.Tensor

    def __post_init__(self):
        if len(self.velocities) != self.schedule.steps or len(self.latents) != self.schedule.steps + 1:
            raise ValueError(f"{len(self.velocities)} evaluations in {self.schedule.steps} steps: record with a "
                             "sampler of one evaluation a step, such as euler")

    @property
    def times(self) -> np.ndarray:
        """(T + 1,)"""
        return np.array(self.schedule.times)

    @property
    def outputs(self) -> torch.Tensor:
        """(T, N), what weighted sums are made of: velocities, or pictures where the sampler adds noise at every step,
        which velocities would carry on to later steps."""
        if self.schedule.sampler.quantity is Quantity.VELOCITY:
            return self.velocities
        times = torch.tensor(self.schedule.times[:-1], dtype=self.velocities.dtype)
        return self.latents[:-1] - times[:, None] * self.velocities

    @property
    def gram(self) -> np.ndarray:
        """(T, T): the products of all outputs with each other."""
        outputs = self.outputs.double()
        return (outputs @ outputs.T).numpy()


@dataclass(frozen=True)
class RecordTrajectory:
    """A Method that computes everything. save: takes each finished run."""
    save: Callable[[Trajectory], None]
    name: str = "recording"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return Plan.from_reuses([None] * schedule.steps)

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        observer = _Observer(schedule, self.save)
        return PlanController(Setup(self.plan(schedule, transformer), observer=observer), schedule)


class _Observer:
    def __init__(self, schedule: Schedule, save: Callable[[Trajectory], None]):
        self._schedule = schedule
        self._save = save
        self._seen: list[tuple[torch.Tensor, torch.Tensor]] = []  # velocity and latent, (N,) each

    def observe(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        flow: FlowTime = self._schedule.flow_time
        velocity = flow.read(Quantity.VELOCITY, latent, denoised, sigma)
        begun = denoised + flow.time(sigma) * velocity
        self._seen.append((velocity.float().flatten().cpu(), begun.float().flatten().cpu()))

    def finish(self) -> str:
        velocities, latents = map(torch.stack, zip(*self._seen))
        self._seen = []
        *_, before, end = self._schedule.times
        result = latents[-1] + (end - before) * velocities[-1]
        self._save(Trajectory(self._schedule, velocities, torch.cat([latents, result[None]])))
        return ""


def gram_of(trajectories: list[Trajectory]) -> np.ndarray:
    """The mean of their Gram matrices, (T, T)."""
    return np.mean([trajectory.gram for trajectory in trajectories], 0)
