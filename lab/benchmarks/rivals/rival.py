"""What a rival is: which blocks it leaves out, when, and what it puts there."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Sequence

import torch
from torch.nn import Module

from ....blockdance_core.comfy.models.architectures import chain_of
from ....blockdance_core.engine.blocks import Chain
from ....blockdance_core.engine.cache import Stored
from ....blockdance_core.engine.gate import Sight
from ....blockdance_core.plan.plan import Kind, Reuse, Span


@dataclass(frozen=True)
class Moment:
    """An evaluation: its number from 0, and how many the run will have; its time in the terms of a flow, from noise (1)
    to picture (0), and the shape of the latent."""
    number: int
    count: int
    time: float = 1.
    shape: tuple[int, ...] = ()

    @property
    def is_last(self) -> bool:
        return self.number >= self.count - 1

    def within(self, share: float) -> bool:
        """Whether it is among the first evaluations of the run, a share of them."""
        return self.number < round(share * self.count)


@dataclass(frozen=True)
class Anchor:
    """What a computed evaluation has stored."""
    number: int
    stored: Stored


class Stream(ABC):
    """The memory of one pass through a run. `anchors` has the latest computed evaluations, the last one first."""

    def __init__(self, keep: int = 1):
        self.anchors: list[Anchor] = []
        self._keep = keep

    @abstractmethod
    def weights(self, moment: Moment, sight: Sight) -> Sequence[float] | None:
        """The weights of the anchors in what replaces the span now; None to compute it. Asked once an evaluation."""

    def computed(self, moment: Moment, sight: Sight, stored: Stored) -> None:
        """The span was computed, and this is what it was."""
        self.anchors = [Anchor(moment.number, stored), *self.anchors[:self._keep - 1]]


class Rival(ABC):
    """A method with its settings."""

    @abstractmethod
    def reuse(self, chain: Chain) -> Reuse:
        """The span that it replaces, and by what. Raises ValueError where the model has no such blocks."""

    @abstractmethod
    def begin(self) -> Stream:
        """A new memory, for one pass of one run."""

    def chain(self, diffusion_model: Module) -> Chain:
        """What it takes for the blocks of a model."""
        return chain_of(diffusion_model)


class WholeDelta(Rival):
    """A rival that replaces all blocks, by a change of the hidden state."""

    def reuse(self, chain: Chain) -> Reuse:
        return Reuse(Span(0, len(chain.blocks) - 1), Kind.DELTA)


def combine(anchors: Sequence[Anchor], weights: Sequence[float]) -> Stored:
    """The weighted sum of what anchors have stored; sizes and positions that travel along are the latest's."""
    latest = anchors[0].stored
    if len(weights) == 1 and weights[0] == 1:
        return latest

    def mix(outlet: int, place: int) -> torch.Tensor | None:
        tensors = [anchor.stored.hidden[outlet][place] for anchor in anchors[:len(weights)]]
        if tensors[0] is None or not tensors[0].is_floating_point():
            return tensors[0]
        return sum(weight * tensor for weight, tensor in zip(weights, tensors))
    hidden = {outlet: tuple(mix(outlet, place) for place in range(len(state)))
              for outlet, state in latest.hidden.items()}
    return Stored(hidden, latest.entered, latest.returned)
