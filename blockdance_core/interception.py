"""One call of a model with its blocks intercepted: counted, recorded, or replaced by what was stored.

Blocks are intercepted through the instance attribute `forward`, for the duration of the call, and put back to what it
was before. The module tree, the weights' names and the loop between the blocks stay as they are, so whatever a loop
adds there (ControlNet residuals, adapters) keeps working. Two rules make a replaced span exact for every architecture:
the first block keeps its input and returns a copy of it, because loops add to it in place and keep references to it;
the last block ignores its input, because what the loop added on the way is already part of what was stored. Between
them content does not matter but form does: the loop of a U-Net concatenates, and adds residuals of fixed shapes.
"""

from contextlib import contextmanager
from typing import Callable, Iterator

import torch

from .cache import Stored
from .chain import Chain
from .hidden import ContractError, Form, Hidden, add, copy, fill, form, subtract
from .plan import Kind, Reuse


class Replay:
    """Replaces a span by what was stored for it.

    `refused` tells that the hidden state came in another form than when it was stored (patches that shrink the picture
    for some steps do that), so that the span was computed instead.
    """

    def __init__(self, chain: Chain, reuse: Reuse, stored: Stored):
        self.span = reuse.span
        self.refused = False
        self._chain = chain
        self._kind = reuse.kind
        self._stored = stored
        self._segments = chain.segments(reuse.span)
        self._entered: dict[int, Hidden] = {}

    def stand_in(self, index: int, compute: Callable) -> Callable:
        """What block `index` of the span does instead of `compute`."""
        number = next(n for n, segment in enumerate(self._segments) if index in segment)
        segment, contract = self._segments[number], self._chain.contracts[index]

        def forward(*args, **kwargs):
            hidden = contract.read(args, kwargs)
            if index == self.span.first:
                self.refused = form(hidden) != self._stored.entered
            if self.refused:
                return compute(*args, **kwargs)
            if index == segment.first:
                self._entered[number] = hidden
                hidden = copy(hidden)
            if index == segment.last:
                hidden = self._leave(number, hidden)
            elif index in self._stored.returned:
                hidden = fill(hidden, self._stored.returned[index])
            return contract.pack(hidden)
        return forward

    def _leave(self, number: int, hidden: Hidden) -> Hidden:
        if self._kind is Kind.DELTA:
            return add(self._entered[number], self._stored.hidden[number])
        if number == len(self._segments) - 1:
            return copy(self._stored.hidden[0])
        return hidden


class Recorder:
    """Stores what will replace a span later, while the span is computed."""

    def __init__(self, chain: Chain, reuse: Reuse):
        self.reuse = reuse
        self.failure: str | None = None
        self._chain = chain
        self._segments = chain.segments(reuse.span)
        if reuse.kind is Kind.FEATURE:
            self._segments = self._segments[-1:]
        self._before: dict[int, Hidden] = {}
        self._after: dict[int, Hidden] = {}
        self._entered: Form = ()
        self._returned: dict[int, Form] = {}
        self._repeated = False

    def listen(self, index: int, forward: Callable) -> Callable:
        """`forward` of block `index`, overheard in the span."""
        if index in self.reuse.span:
            forward = self._keep_form(index, forward)
        for number, segment in enumerate(self._segments):
            if self.reuse.kind is Kind.DELTA and index == segment.first:
                forward = self._keep_input(number, index, forward)
            if index == segment.last:
                forward = self._keep_output(number, index, forward)
        return forward

    def _keep_form(self, index: int, forward: Callable) -> Callable:
        contract = self._chain.contracts[index]

        def keep(*args, **kwargs):
            if index == self.reuse.span.first:
                with self._survive():
                    self._entered = form(contract.read(args, kwargs))
            output = forward(*args, **kwargs)
            with self._survive():
                self._returned[index] = form(contract.unpack(output))
            return output
        return keep

    def _keep_input(self, number: int, index: int, forward: Callable) -> Callable:
        def keep(*args, **kwargs):
            with self._survive():
                self._before[number] = copy(self._chain.contracts[index].read(args, kwargs))
            return forward(*args, **kwargs)
        return keep

    def _keep_output(self, number: int, index: int, forward: Callable) -> Callable:
        def keep(*args, **kwargs):
            output = forward(*args, **kwargs)
            self._repeated |= number in self._after
            with self._survive():
                hidden = self._chain.contracts[index].unpack(output)
                if self.reuse.kind is Kind.FEATURE:
                    self._after[number] = copy(hidden)
                elif number in self._before:
                    self._after[number] = subtract(hidden, self._before.pop(number))
            return output
        return keep

    @contextmanager
    def _survive(self) -> Iterator[None]:
        """What cannot be stored costs speed, never the picture."""
        try:
            yield
        except (ContractError, torch.OutOfMemoryError) as error:
            self.failure = f"{type(error).__name__}: {error}"

    def stored(self) -> Stored | None:
        """What was recorded, or None where the span was not computed exactly once."""
        if self.failure or self._repeated or len(self._after) < len(self._segments):
            return None
        hidden = tuple(self._after[number] for number in range(len(self._segments)))
        return Stored(hidden, self._entered, self._returned)


class Interception:
    """Context of one call of the model. `executed` counts the blocks that were computed in it."""

    def __init__(self, chain: Chain, replay: Replay | None = None, recorders: tuple[Recorder, ...] = ()):
        self.executed = 0
        self._chain = chain
        self._replay = replay
        self._recorders = recorders
        self._previous: list[tuple[dict, Callable | None]] = []

    def __enter__(self) -> "Interception":
        for index, block in enumerate(self._chain.blocks):
            attributes = block.__dict__
            self._previous.append((attributes, attributes.get("forward")))
            attributes["forward"] = self._intercept(index, block.forward)
        return self

    def __exit__(self, *_) -> None:
        while self._previous:
            attributes, forward = self._previous.pop()
            if forward is None:
                del attributes["forward"]
            else:
                attributes["forward"] = forward

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """The model untouched again for a while, for a call of it from within this one."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def _intercept(self, index: int, original: Callable) -> Callable:
        def forward(*args, **kwargs):
            self.executed += 1
            return original(*args, **kwargs)
        if self._replay is not None and index in self._replay.span:
            return self._replay.stand_in(index, forward)
        for recorder in self._recorders:
            forward = recorder.listen(index, forward)
        return forward
