"""What methods measure of a model on calibration captions, before they are measured themselves."""

from dataclasses import replace
from typing import Callable

import torch
from comfy.model_patcher import ModelPatcher
from comfy.samplers import sampler_object

from ...blockdance_core.auto.calibration import STEADY
from ...blockdance_core.auto.kernel import Kernel, mean
from ...blockdance_core.auto.measurement import MeasureMethod
from ...blockdance_core.comfy.attach import attach
from ...blockdance_core.comfy.models.architectures import ANY_MODEL
from ...blockdance_core.comfy.step_tracking import traits_of
from ...blockdance_core.plan.schedule import Quantity
from .arm import Calibration
from .rivals.trajectory import RecordTrajectory, Trajectory

RECORDED_ON = 8  # calibration captions whose full runs the static rivals learn from; Auto has two


def counted(calibration: Calibration) -> Calibration:
    """With a sampler that evaluates the model once a step, as Calibrate asks its user to."""
    known = traits_of(sampler_object(calibration.setting.sampler)).counted
    return calibration if known else by(STEADY, calibration)


def by(sampler: str, calibration: Calibration) -> Calibration:
    """The same with another sampler."""
    return replace(calibration, setting=replace(calibration.setting, sampler=sampler))


def measured_in(model: ModelPatcher, draw: Callable[[ModelPatcher], object]) -> tuple[Quantity, list[Kernel]]:
    """What full runs show of a model, a kernel each. draw: makes the runs, of the model that it is given."""
    found: list[tuple[Quantity, Kernel]] = []
    draw(attach(model, MeasureMethod(lambda *measured: found.append(measured) or ""), family=ANY_MODEL))
    return found[0][0], [measurement for _, measurement in found]


def kernel(calibration: Calibration) -> tuple[Quantity, Kernel]:
    """As Auto's measuring run makes it, the mean over calibration captions."""
    def record(calibration: Calibration) -> tuple[Quantity, Kernel]:
        quantity, kernels = measured_in(calibration.subject.patcher, counted(calibration).draw)
        return quantity, mean(kernels)
    return calibration.learn(f"kernel of {calibration.captions} captions", record)


def full_latents(calibration: Calibration) -> list[torch.Tensor]:
    """Those of full runs of the calibration captions."""
    return calibration.learn(f"full runs of {calibration.captions} captions by {calibration.setting.sampler}",
                             lambda of: [run.latents for run in of.draw(of.subject.patcher)])


def trajectories(calibration: Calibration, steps: int | None = None, steady: bool = False) -> list[Trajectory]:
    """Full runs of RECORDED_ON calibration captions, of so many steps, or the setting's. steady: by Euler where the
    setting's sampler adds noise, which the latents of a run then show as well as what the model says."""
    sampler = sampler_object(calibration.setting.sampler)
    if steady and not traits_of(sampler).steady:
        calibration = by(STEADY, calibration)

    def record(calibration: Calibration) -> list[Trajectory]:
        setting = replace(counted(calibration).setting, steps=steps or calibration.setting.steps)
        found: list[Trajectory] = []
        recording = attach(calibration.subject.patcher, RecordTrajectory(found.append), family=ANY_MODEL)
        replace(calibration, setting=setting, captions=RECORDED_ON).draw(recording)
        return found
    return calibration.learn(f"trajectories of {steps} steps by {calibration.setting.sampler}", record)
