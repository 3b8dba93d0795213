"""EasyCache as published: the model's output moves in proportion to its input, so the input tells how long the
difference of the two may be repeated.

Less is Enough, arXiv 2507.02860, section 3. Unlike the host's node of that name, it follows the input through the
skipped evaluations, and asks all of the latent.
"""

from dataclasses import dataclass

import torch
from torch.nn import Module

from ....blockdance_core.engine.blocks import Chain, Contract, Hidden
from ....blockdance_core.engine.cache import Stored
from .rival import Moment, Sight, Stream, WholeDelta


@dataclass(frozen=True)
class _Latent(Contract):
    """A model's input without what the host puts beside the latent."""
    channels: int | None = None

    def read(self, args: tuple, kwargs: dict) -> Hidden:
        return tuple(t[:, :self.channels] for t in super().read(args, kwargs))


@dataclass(frozen=True)
class EasyCache(WholeDelta):
    """threshold: of the summed relative change of the output; retained: share of the run computed first, the paper's
    10 of 50. Its single block is the whole model, from latent to output."""
    threshold: float = .05
    retained: float = .2

    def chain(self, diffusion_model: Module) -> Chain:
        channels = getattr(diffusion_model, "out_dim", None)  # of Wan; the others see nothing else
        return Chain((diffusion_model,), (_Latent((None,), (0,), channels=channels),), (1,))

    def begin(self) -> Stream:
        return _Following(self)


class _Following(Stream):
    def __init__(self, settings: EasyCache):
        super().__init__()
        self._settings = settings
        self._error = 0.
        self._rate: float | None = None  # change of the output over change of the input
        self._input: torch.Tensor | None = None  # one evaluation ago
        self._computed: tuple[torch.Tensor, torch.Tensor] | None = None  # input and output, last computed

    def weights(self, moment: Moment, sight: Sight) -> list[float] | None:
        x, before = sight.entered[0], self._input
        self._input = x
        if moment.within(self._settings.retained) or moment.is_last or self._rate is None:
            return None
        moved = float((x - before).abs().mean())
        self._error += self._rate * moved / float(self._computed[1].abs().mean())
        return [1.] if self._error < self._settings.threshold else None

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        super().computed(moment, sight, stored)
        x, = sight.entered
        output = x + stored.hidden[0][0]
        if self._computed is not None:
            moved = float((x - self._computed[0]).abs().mean())
            self._rate = float((output - self._computed[1]).abs().mean()) / moved if moved else None
        self._computed = x, output
        self._error = 0.
