"""What the network's logits mean: a decision for each step, its likelihood, and what a batch does with several.

Decisions are integers: COMPUTED, or k from 1 to reuse up to the k-th border.
"""

from dataclasses import dataclass
from typing import Sequence

import torch
from torch.nn import functional as F

COMPUTED = 0


@dataclass(frozen=True)
class Choices:
    """u ~ Bernoulli(m) for each step (BlockDance, eq. 5), m = sigmoid(compute), and where it reuses a border.

    compute: (B, S) logits; borders: (B, S, K) logits.
    """
    compute: torch.Tensor
    borders: torch.Tensor

    @property
    def m(self) -> torch.Tensor:
        """Probabilities (B, S) of computing."""
        return self.compute.sigmoid()

    def sample(self, generator: torch.Generator) -> torch.Tensor:
        """Decisions (B, S), drawn."""
        with torch.no_grad():
            computed = torch.rand(self.m.shape, generator=generator) < self.m.cpu()
            weights = self.borders.softmax(-1).cpu().flatten(0, 1)
            chosen = torch.multinomial(weights, 1, generator=generator).view(computed.shape)
            return torch.where(computed, COMPUTED, chosen + 1)

    def greedy(self, threshold: float = .5) -> torch.Tensor:
        """The decisions (B, S) in use: computed where m is above the threshold, else the likeliest border."""
        return torch.where(self.m > threshold, COMPUTED, self.borders.argmax(-1) + 1)

    def log_probability(self, decisions: torch.Tensor) -> torch.Tensor:
        """Of decisions (B, S), for each sample: (B,)."""
        decisions = decisions.to(self.compute.device)
        computed = decisions == COMPUTED
        border = self.borders.log_softmax(-1).gather(-1, (decisions - 1).clamp(min=0)[..., None])[..., 0]
        each = torch.where(computed, F.logsigmoid(self.compute), F.logsigmoid(-self.compute) + border)
        return each.sum(-1)

    def entropy(self) -> torch.Tensor:
        """Of all decisions of a sample, in nats: (B,)."""
        m, likely = self.m, self.borders.log_softmax(-1)
        computed = -m * F.logsigmoid(self.compute) - (1 - m) * F.logsigmoid(-self.compute)
        return (computed - (1 - m) * (likely.exp() * likely).sum(-1)).sum(-1)


def cautious(decisions: torch.Tensor) -> tuple[int, ...]:
    """One decision a step for a batch (B, S), which the model computes as one: what its most cautious sample wants.

    A step is computed if any sample asks for it, else reused up to the shallowest border that any has chosen.
    """
    return tuple(decisions.min(0).values.tolist())


def saving(decisions: Sequence[int], borders: Sequence[int]) -> float:
    """C of the reward: the share of the steps that reuse (BlockDance, eq. 6). Where there are several borders, given as
    block numbers, a reusing step counts by its blocks, the deepest border as one."""
    deepest = max(borders) + 1
    return sum((borders[decision - 1] + 1) / deepest for decision in decisions if decision != COMPUTED) / len(decisions)
