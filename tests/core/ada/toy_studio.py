"""A studio without a model, for tests of learning."""

import torch

from blockdance.blockdance_core.ada.network import Sizes, State
from blockdance.blockdance_core.ada.training import Settings

TINY = Sizes(channels=3, text=5, pooled=0, decisions=6, width=16, heads=2)
LEARNING = Settings(quality_weight=2., learning_rate=.02, batch=4, epochs=20, rollouts=4, baseline="mean",
                    validation=.25, patience=0)
TOGETHER = Settings(quality_weight=2., learning_rate=.02, batch=5, epochs=2, rollouts=2, validation=.25, patience=0)


class Toy:
    """Pictures suffer from reuse at the odd steps. Counts how many were made."""

    def __init__(self):
        self.macs = 0.

    def state(self, caption: int) -> State:
        return State(torch.ones(1, 3, 4, 4), torch.full((1, 2, 5), float(caption % 2)) + torch.arange(5.))

    def quality(self, caption: int, decisions: tuple[int, ...]) -> float:
        self.macs += 1
        harm = sum(1. for step, decision in enumerate(decisions) if decision and step % 2)
        return -harm / len(decisions)
