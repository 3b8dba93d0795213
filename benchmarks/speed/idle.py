"""What a patch that reuses nothing costs full-size models: each step against the same step of unpatched runs."""

from dataclasses import dataclass
from typing import Iterator

import numpy as np
import torch
from comfy.model_patcher import ModelPatcher

from ...blockdance_core.host.attach import attach
from ..statistics import estimate
from .methods import OFF
from .models import Size, chosen
from .options import Options
from .race import step_times


@dataclass(frozen=True)
class Idle:
    """more: how much more processor time a step takes than unpatched, as a fraction; low, high: its 95 % interval."""
    model: str
    batch: int
    steps: int
    more: float
    low: float
    high: float


def measure(options: Options) -> Iterator[Idle]:
    for size in chosen(options):
        model = size.build(getattr(torch, options.dtype))
        for batch in options.batches:
            yield compare(size, model, options, batch)
        del model


def compare(size: Size, model: ModelPatcher, options: Options, batch: int) -> Idle:
    """Runs in the order bare, patched, patched, bare, ..., so that what changes steadily changes both alike. The first
    step of a run has what is done once in it and is left out."""
    patched, found = attach(model, OFF), []
    step_times(lambda on_step: size.sample(model, 2, batch, on_step=on_step))  # to warm up
    for number in range(options.rounds):
        arms = (model, patched) if number % 2 == 0 else (patched, model)
        times = {arm: step_times(lambda on_step: size.sample(arm, options.steps, batch, on_step=on_step))
                 for arm in arms}
        found += [mine / bare - 1 for mine, bare in zip(times[patched][1:], times[model][1:])]
    middle = estimate(found, np.median)
    return Idle(size.name, batch, len(found), middle.mean, middle.low, middle.high)
