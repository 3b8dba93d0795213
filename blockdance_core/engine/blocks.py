"""The blocks of a model in execution order, and how a call of one carries the hidden state."""

import inspect
from dataclasses import dataclass, field
from typing import Callable, Mapping

import torch

from ..plan.plan import Kind, Reuse, Span
from ..words import count

# The tensors that flow from block to block; None where a block returns none (the last text state of SD3).
Hidden = tuple[torch.Tensor | None, ...]
Form = tuple[torch.Size | None, ...]


class ContractError(ValueError):
    """A block was called, or has returned, in a way that its architecture row, or the method, does not provide for."""


@dataclass(frozen=True)
class Contract:
    """How a call of a block carries the hidden state: its arguments, in the order in which it returns them.

    names: one per tensor, None where the block takes `*args`; positions: where each stands among positional arguments.
    packed: one argument holds all tensors as a tuple, and the block returns such a tuple.
    keys_values: the argument that brings stored keys and values of attention. The block then returns its own after the
    hidden state, and the loop keeps them where that argument is an empty tuple.
    guessed: from no architecture row, so that it is checked while a span is stored.
    method: what the model's loop calls on a block to have the hidden state changed.
    """
    names: tuple[str | None, ...]
    positions: tuple[int, ...]
    packed: bool = False
    keys_values: str | None = None
    guessed: bool = False
    method: str = "forward"

    @classmethod
    def of(cls, forward: Callable, arguments: tuple[str | int, ...], **traits) -> "Contract":
        """The contract of a block class whose unbound `forward` (or other `method`) takes these arguments (names, or
        places in *args)."""
        parameters = list(inspect.signature(forward).parameters)[1:]  # without self
        names, positions = [], []
        for argument in arguments:
            if isinstance(argument, str) and argument not in parameters:
                known = ", ".join(parameters)
                raise ContractError(f"{forward.__qualname__} has no argument {argument!r}, only {known}")
            names.append(argument if isinstance(argument, str) else None)
            positions.append(parameters.index(argument) if isinstance(argument, str) else argument)
        return cls(tuple(names), tuple(positions), **traits)

    def read(self, args: tuple, kwargs: dict) -> Hidden:
        """The hidden state that a call brings."""
        try:
            found = tuple(kwargs[name] if name in kwargs else args[position]
                          for name, position in zip(self.names, self.positions))
        except IndexError:
            raise ContractError(f"the hidden state ({self._where}) is missing from a call with "
                                f"{count(len(args), 'positional argument')} and named "
                                f"{', '.join(sorted(kwargs)) or 'none'}") from None
        return self._tensors(found[0] if self.packed else found)

    def unpack(self, output: torch.Tensor | tuple) -> Hidden:
        """The hidden state in what a block returned."""
        if self.keys_values:
            *output, _ = output
        elif len(self.names) == 1 and not self.packed:
            output = (output,)
        hidden = self._tensors(output)
        if len(hidden) != len(self.names) and not self.packed:
            raise ContractError(f"a block returned {count(len(hidden), 'tensor')}, its architecture row says "
                                f"{len(self.names)}")
        return hidden

    def _tensors(self, values: object) -> Hidden:
        values = tuple(values) if isinstance(values, (tuple, list)) else (values,)
        for value in values:
            if not (value is None or isinstance(value, torch.Tensor)):
                raise ContractError(f"the hidden state ({self._where}) is of type {type(value).__name__}, "
                                    "not a tensor")
        return values

    @property
    def _where(self) -> str:
        """Which arguments the hidden state is in, in words."""
        return ", ".join(name or f"argument {position}" for name, position in zip(self.names, self.positions))

    def pack(self, hidden: Hidden) -> torch.Tensor | tuple:
        """A hidden state in the form in which the block would return it."""
        if self.keys_values:
            return *hidden, None
        return hidden if self.packed or len(hidden) > 1 else hidden[0]

    def collects(self, kwargs: dict) -> bool:
        """Whether the loop keeps this block's keys and values, so that it has to be computed."""
        return self.keys_values is not None and kwargs.get(self.keys_values) == ()


def form(hidden: Hidden) -> Form:
    return tuple(None if tensor is None else tensor.shape for tensor in hidden)


def shapes(wanted: Form | None) -> str:
    """In words."""
    return ", ".join("nothing" if shape is None else " x ".join(map(str, shape)) for shape in wanted or ()) or "nothing"


def fill(hidden: Hidden, wanted: Form) -> Hidden:
    """A hidden state whose content nobody reads, in this form: the tensors at hand where they fit, else zeros."""
    return tuple(None if shape is None else tensor if tensor.shape == shape else tensor.new_zeros(shape)
                 for tensor, shape in zip(hidden, wanted))


def copy(hidden: Hidden) -> Hidden:
    return tuple(None if tensor is None else tensor.clone() for tensor in hidden)


def subtract(after: Hidden, before: Hidden) -> Hidden:
    """The change over a span. Integers (sizes, positions) that travel with the state are kept as they are."""
    for a, b in zip(after, before):
        if a is not None and a.shape != b.shape:
            raise ContractError(f"no delta: {tuple(b.shape)} before the span became {tuple(a.shape)} after it")
    return tuple(None if a is None else a - b if a.is_floating_point() else a.clone() for a, b in zip(after, before))


def add(before: Hidden, delta: Hidden) -> Hidden:
    return tuple(None if d is None else b + d if d.is_floating_point() else d.clone() for b, d in zip(before, delta))


@dataclass(frozen=True)
class Chain:
    """The blocks of one model, through all of its stacks.

    blocks: every block, stack after stack; contracts: one per block; stacks: how many blocks each stack has.

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
        for length in self.stacks:
            first, last = max(span.first, start), min(span.last, start + length - 1)
            if first <= last:
                segments.append(Span(first, last))
            start += length
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
