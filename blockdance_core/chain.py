"""The blocks of one model in execution order, through all of its stacks."""

from dataclasses import dataclass

import torch

from .hidden import Contract
from .plan import Span


@dataclass(frozen=True)
class Chain:
    """blocks: every block, stack after stack; contracts: one per block; stacks: how many blocks each stack has."""
    blocks: tuple[torch.nn.Module, ...]
    contracts: tuple[Contract, ...]
    stacks: tuple[int, ...]

    def segments(self, span: Span) -> tuple[Span, ...]:
        """The parts of a span that lie within one stack each: between stacks the hidden state changes its form."""
        segments, start = [], 0
        for count in self.stacks:
            first, last = max(span.first, start), min(span.last, start + count - 1)
            if first <= last:
                segments.append(Span(first, last))
            start += count
        return tuple(segments)
