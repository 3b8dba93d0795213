"""The blocks of one model in execution order, through all of its stacks."""

from dataclasses import dataclass, field
from typing import Mapping

import torch

from ..plan.plan import Kind, Reuse, Span
from .hidden_state import Contract


@dataclass(frozen=True)
class Chain:
    """blocks: every block, stack after stack; contracts: one per block; stacks: how many blocks each stack has.

    readers: over a long skip connection the output of a block is read again by a later one, its reader. needs_a_block:
    what follows the blocks reads more than the hidden state, so that one of them has to be computed.
    """
    blocks: tuple[torch.nn.Module, ...]
    contracts: tuple[Contract, ...]
    stacks: tuple[int, ...]
    readers: Mapping[int, int] = field(default_factory=dict)
    needs_a_block: bool = False

    def segments(self, span: Span) -> tuple[Span, ...]:
        """The parts of a span that lie within one stack each: between stacks the hidden state changes its form."""
        segments, start = [], 0
        for count in self.stacks:
            first, last = max(span.first, start), min(span.last, start + count - 1)
            if first <= last:
                segments.append(Span(first, last))
            start += count
        return tuple(segments)

    def outlets(self, reuse: Reuse) -> frozenset[int]:
        """The blocks of a span whose output something behind it reads, so that it has to be what they would return.

        A feature has one, the last block: it is the input of the next, whatever came before. A delta has one per stack.
        """
        span = reuse.span
        ends = {segment.last for segment in self.segments(span)} if reuse.kind is Kind.DELTA else {span.last}
        return frozenset(ends | {block for block in span if self.readers.get(block, 0) > span.last})

    def refusal(self, span: Span) -> str | None:
        """Why this span cannot be replaced; None where it can."""
        if self.needs_a_block and len(span) == len(self.blocks):
            return "what follows the blocks of this model needs at least one of them computed"
        return None
