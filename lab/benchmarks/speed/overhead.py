"""What the pack itself costs an evaluation: beside blocks that do nothing, everything left over is its own."""

from dataclasses import dataclass
from functools import partial
from typing import Callable, Iterator, Sequence

import comfy.supported_models as supported
import torch
from comfy.model_patcher import ModelPatcher

from ....blockdance_core.comfy.attach import attach, last_report
from ....blockdance_core.comfy.models.architectures import chain_of
from ....blockdance_core.engine.blocks import Contract
from .methods import METHODS
from .models import Size, narrow
from .race import Timing, clocked, least

BLOCKS, STEPS, ROUNDS = 60, 50, 9
SCALED = ("reuse off", "Delta-Cache N=2", "Auto 2x")
VIDEO = Size(
    "video", supported.WAN21_T2V,
    dict(image_model="wan2.1", model_type="t2v", text_len=8, freq_dim=16, dim=128, ffn_dim=16, num_heads=1, in_dim=16,
         out_dim=16, text_dim=16, num_layers=30, patch_size=(1, 2, 2), window_size=(-1, -1), qk_norm=True,
         cross_attn_norm=True, eps=1e-6), (16, 21, 60, 104), (8, 16))


@dataclass(frozen=True)
class Overhead:
    """milliseconds: the pack's own processor time an evaluation; bare: ComfyUI's own, without the patch."""
    varied: str
    value: str
    method: str
    milliseconds: float
    bare: float


@dataclass(frozen=True)
class Case:
    varied: str
    value: str
    size: Size
    steps: int = STEPS
    batch: int = 1
    prompts: int = 1


CASES = (
    *(Case("tokens", f"{width * height // 4}", narrow(28, height, width))
      for height, width in ((16, 64), (64, 64), (128, 128), (256, 256))),
    *(Case("blocks", f"{depth}", narrow(depth)) for depth in (8, 28, 60)),
    *(Case("pictures a run", f"{batch}", narrow(28), batch=batch) for batch in (1, 4, 16)),
    *(Case("prompts, sampled apart", f"{prompts}", narrow(28), prompts=prompts) for prompts in (1, 4, 16)),
    *(Case("steps", f"{steps}", narrow(28), steps=steps) for steps in (4, 20, 50, 100, 200)),
    Case("video", "81 frames of 832 x 480", VIDEO, steps=10),
)


def measure() -> Iterator[Overhead]:
    """Of every method with 60 blocks."""
    yield from _empty_and_compare(Case("", "", narrow(BLOCKS)), tuple(METHODS), ROUNDS)


def scale() -> Iterator[Overhead]:
    """Of some methods, one thing being varied at a time."""
    for case in CASES:
        yield from _empty_and_compare(case, SCALED, rounds=3)


def _empty_and_compare(case: Case, methods: Sequence[str], rounds: int) -> Iterator[Overhead]:
    empty(model := case.size.build())
    return compare(case, model, methods, rounds)


def empty(model: ModelPatcher) -> None:
    """Let the blocks return the hidden state that they are given, so that they take no time."""
    chain = chain_of(model.model.diffusion_model)
    for block, contract in zip(chain.blocks, chain.contracts):
        block.forward = partial(_pass_on, contract)


def _pass_on(contract: Contract, *args, **kwargs) -> torch.Tensor | tuple:
    return contract.pack(contract.read(args, kwargs))


def compare(case: Case, model: ModelPatcher, methods: Sequence[str], rounds: int) -> Iterator[Overhead]:
    """By the least time of each step in several runs, one after the other: whatever else goes on only adds to it.

    Of the time without the patch a run is to take as much as it calls the model. What ComfyUI's sampler does around a
    forecast in place of a call thus counts as the pack's own.
    """
    arms = [model, *(attach(model, METHODS[method]) for method in methods)]
    times: list[list[Timing]] = [[] for _ in arms]
    for number in range(rounds + 1):
        for arm, found in zip(arms, times):
            timing = clocked(partial(_sample, case, arm))
            if number:  # the first is to warm up
                found.append(timing)
    bare, *others = (1000 * least(found) / case.steps for found in times)
    for method, found, arm in zip(methods, others, arms[1:]):
        evaluations = last_report(arm).evaluations
        called = sum(evaluation.passes > 0 for evaluation in evaluations) / len(evaluations)
        yield Overhead(case.varied, case.value, method, found - called * bare, bare)


def _sample(case: Case, model: ModelPatcher, on_step: Callable) -> None:
    case.size.sample(model, case.steps, case.batch, case.prompts, on_step=on_step)
