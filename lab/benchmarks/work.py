"""How much work a run has really done, counted in the model itself and not by the method that skips it.

Every block, and every layer outside the blocks, counts its own calls underneath whatever a method puts around them,
so the host's own caches, rivals and our patches are all measured by the same rule.
"""

from dataclasses import dataclass
from typing import Callable

import torch
from comfy.model_patcher import ModelPatcher

from ...blockdance_core.comfy.models.architectures import chain_of
from ...blockdance_core.engine import macs as cost

_LAYERS = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


@dataclass(frozen=True)
class Work:
    """macs: multiply-accumulates, attention products included; blocks: block executions, one for each row of the batch
    (cond and uncond are two)."""
    macs: float
    blocks: int


class WorkCounter:
    """Counts the work of one model from now on; `measure` must be called before the first reading."""

    def __init__(self, model: ModelPatcher):
        diffusion_model = model.model.diffusion_model
        blocks = list(chain_of(diffusion_model).blocks)
        inside = {id(module) for block in blocks for module in block.modules()}
        layers = [module for module in diffusion_model.modules()
                  if isinstance(module, _LAYERS) and id(module) not in inside]
        self._parts = [*blocks, *layers]
        self._depth = len(blocks)
        self._rows = 0
        self._calls = [0] * len(self._parts)
        self._macs = [0.] * len(self._parts)
        diffusion_model.register_forward_pre_hook(self._enter)
        for index, part in enumerate(self._parts):
            part.forward = self._counting(index, part.forward)

    def _enter(self, _, args: tuple) -> None:
        self._rows = len(args[0])

    def _counting(self, index: int, forward: Callable) -> Callable:
        def counted(*args, **kwargs):
            output = forward(*args, **kwargs)
            self._calls[index] += self._rows
            return output
        return counted

    def measure(self, evaluation: Callable[[], object]) -> None:
        """Learn what each part costs a row, from one full evaluation."""
        self.restart()
        counted = cost.count(evaluation, self._parts, linear_only=False)
        self._macs = [macs / max(1, self._rows) for macs in counted.blocks]
        known = self.read().macs
        if abs(known - counted.total) > .01 * counted.total:
            raise RuntimeError(f"blocks and layers make {known:.4g} MACs of this model's {counted.total:.4g}: "
                               "something in it multiplies that is neither")
        self.restart()

    def restart(self) -> None:
        self._calls = [0] * len(self._parts)

    def read(self) -> Work:
        """What was done since the last restart."""
        return Work(sum(calls * macs for calls, macs in zip(self._calls, self._macs)), sum(self._calls[:self._depth]))
