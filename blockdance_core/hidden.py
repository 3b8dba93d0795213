"""How one block's call carries the hidden state: which arguments it is, and how the block returns it."""

import inspect
from dataclasses import dataclass
from typing import Callable

import torch

# The tensors that flow from block to block; None where a block returns none (the last text state of SD3).
Hidden = tuple[torch.Tensor | None, ...]
Form = tuple[torch.Size | None, ...]


class ContractError(ValueError):
    """A block was called, or answered, in a way that its architecture row, or the method, does not provide for."""


@dataclass(frozen=True)
class Contract:
    """The hidden-state arguments of a block, in the order in which it returns them.

    names: one per tensor, None where the block takes `*args`; positions: where each stands among positional arguments.
    """
    names: tuple[str | None, ...]
    positions: tuple[int, ...]

    @classmethod
    def of(cls, forward: Callable, arguments: tuple[str | int, ...]) -> "Contract":
        """The contract of a block class whose unbound `forward` takes these arguments (names, or places in *args)."""
        parameters = list(inspect.signature(forward).parameters)[1:]  # without self
        names, positions = [], []
        for argument in arguments:
            if isinstance(argument, str) and argument not in parameters:
                known = ", ".join(parameters)
                raise ContractError(f"{forward.__qualname__} has no argument {argument!r}, only {known}")
            names.append(argument if isinstance(argument, str) else None)
            positions.append(parameters.index(argument) if isinstance(argument, str) else argument)
        return cls(tuple(names), tuple(positions))

    def read(self, args: tuple, kwargs: dict) -> Hidden:
        """The hidden state that a call brings."""
        try:
            return tuple(kwargs[name] if name in kwargs else args[position]
                         for name, position in zip(self.names, self.positions))
        except IndexError:
            raise ContractError(f"hidden state {self.names} at {self.positions} is missing from a call with "
                                f"{len(args)} positional arguments and {sorted(kwargs)}") from None

    def unpack(self, output: torch.Tensor | tuple) -> Hidden:
        """The hidden state in what a block returned."""
        hidden = (output,) if isinstance(output, torch.Tensor) else tuple(output)
        if len(hidden) != len(self.names):
            raise ContractError(f"a block returned {len(hidden)} tensors, its architecture row says {len(self.names)}")
        return hidden

    def pack(self, hidden: Hidden) -> torch.Tensor | Hidden:
        """A hidden state in the form in which the block would return it."""
        return hidden[0] if len(hidden) == 1 else hidden


def form(hidden: Hidden) -> Form:
    return tuple(None if tensor is None else tensor.shape for tensor in hidden)


def fill(hidden: Hidden, wanted: Form) -> Hidden:
    """A hidden state whose content nobody reads, in this form: the tensors at hand where they fit, else zeros."""
    return tuple(None if shape is None else tensor if tensor.shape == shape else tensor.new_zeros(shape)
                 for tensor, shape in zip(hidden, wanted))


def copy(hidden: Hidden) -> Hidden:
    return tuple(None if tensor is None else tensor.clone() for tensor in hidden)


def subtract(after: Hidden, before: Hidden) -> Hidden:
    for a, b in zip(after, before):
        if a is not None and a.shape != b.shape:
            raise ContractError(f"no delta: {tuple(b.shape)} before the span became {tuple(a.shape)} after it")
    return tuple(None if a is None else a - b for a, b in zip(after, before))


def add(before: Hidden, delta: Hidden) -> Hidden:
    return tuple(None if d is None else b + d for b, d in zip(before, delta))
