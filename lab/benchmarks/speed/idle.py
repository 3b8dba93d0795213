"""What a patch that reuses nothing adds to a step of full-size models."""

from dataclasses import dataclass
from typing import Iterator

import torch

from . import overhead
from .models import Size, chosen
from .options import Options
from .race import clocked

ROUNDS = 9


@dataclass(frozen=True)
class Idle:
    """added: milliseconds of processor time that the patch adds to a step; step: that a step takes without it."""
    model: str
    batch: int
    added: float
    step: float


def measure(options: Options) -> Iterator[Idle]:
    for size in chosen(options):
        for batch in options.batches:
            yield compare(size, options, batch)


def compare(size: Size, options: Options, batch: int) -> Idle:
    """What is added is measured beside blocks that do nothing, with hidden states of full size: it is far less than
    two runs of the whole model differ by chance."""
    model = size.build(getattr(torch, options.dtype))
    runs = [clocked(lambda on_step: size.sample(model, options.steps, batch, on_step=on_step))
            for _ in range(options.rounds)]
    overhead.empty(model)
    case = overhead.Case("", "", size, options.steps, batch)
    found, = overhead.compare(case, model, ["reuse off"], ROUNDS)
    return Idle(size.name, batch, found.milliseconds, 1000 * min(min(run.steps[1:-1]) for run in runs))
