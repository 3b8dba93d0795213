"""One call of a model with its blocks intercepted: counted, recorded, or replaced by what was stored.

Blocks are intercepted through the instance attribute `forward` (or that of the method which the model's loop calls in
its place), for the duration of the call, and put back to what it was before. The module tree, the weights' names and
the loop between the blocks stay as they are, so whatever a loop adds there (ControlNet residuals, adapters) keeps
working. Two rules make a replaced span exact for every architecture: the first block keeps its input and returns a copy
of it, because loops add to it in place and keep references to it; the last block ignores its input, because what the
loop added on the way is already part of what was stored. Between them content does not matter but form does: the loop
of a U-Net concatenates, and adds residuals of fixed shapes. Where long skip connections carry an output past the end of
the span, its block returns what was stored for it, too.
"""

from contextlib import contextmanager, nullcontext
from typing import Callable, ContextManager, Iterator, TypeVar

import torch
from torch.nn import Module

from ..plan.plan import Kind, Reuse
from .blocks import Chain, ContractError, Form, Hidden, add, copy, fill, form, shapes, subtract
from .cache import Stored
from .macs import MacCounter

Result = TypeVar("Result")


class Diverged(Exception):
    """The model calls other blocks than when the span was stored; only computing the whole call is right."""


class Replay:
    """Replaces a span by what was stored for it. Raises Diverged.

    `replaced` counts the blocks that were; `refused` tells that the span was computed instead: the hidden state came in
    another form than when it was stored (patches that shrink the picture for some steps do that), or the model
    collects the blocks' keys and values.
    """

    def __init__(self, chain: Chain, reuse: Reuse, stored: Stored):
        self.span = reuse.span
        self.refused = False
        self.replaced = 0
        self._order = tuple(stored.returned)
        self._chain = chain
        self._kind = reuse.kind
        self._stored = stored
        self._segments = chain.segments(reuse.span)
        self._entered: Hidden = ()

    def stand_in(self, index: int, compute: Callable) -> Callable:
        """What block `index` of the span does instead of `compute`."""
        contract, wanted = self._chain.contracts[index], self._stored.returned.get(index)
        enters, leaves = index == self.span.first, index in self._stored.hidden
        begins = any(index == segment.first for segment in self._segments)

        def forward(*args, **kwargs):
            hidden = contract.read(args, kwargs)
            if enters:
                # Once refused, all of the call is computed: a model that runs its blocks on the prompt and on the
                # picture in turn, to keep the keys and values of the prompt, brings both forms in one call
                self.refused |= form(hidden) != self._stored.entered or contract.collects(kwargs)
            if self.refused:
                return compute(*args, **kwargs)
            self._follow(index)
            if begins:
                self._entered = hidden
                hidden = hidden if leaves else copy(hidden)
            if leaves:
                hidden = self._restore(index)
            elif wanted is not None:
                hidden = fill(hidden, wanted)
            return contract.pack(hidden)
        return forward

    def _follow(self, index: int) -> None:
        if self.replaced == len(self._order) or self._order[self.replaced] != index:
            raise Diverged
        self.replaced += 1

    def finish(self) -> None:
        """To be called after the model: all of the span was called for, or none of it."""
        if 0 < self.replaced < len(self._order):
            raise Diverged

    def _restore(self, index: int) -> Hidden:
        stored = self._stored.hidden[index]
        return add(self._entered, stored) if self._kind is Kind.DELTA else copy(stored)


class Recorder:
    """Stores what will replace a span later, while the span is computed. keeping: around whatever is stored."""

    def __init__(self, chain: Chain, reuse: Reuse, keeping: Callable[[], ContextManager] = nullcontext):
        self.reuse = reuse
        self._keeping = keeping
        self.failure = chain.refusal(reuse.span)
        self._chain = chain
        self._segments = chain.segments(reuse.span)
        self._outlets = chain.outlets(reuse)
        self._before: dict[int, Hidden] = {}
        self._after: dict[int, Hidden] = {}
        self._entered: Form | None = None
        self._returned: dict[int, Form] = {}
        self._repeated = False

    def wrap(self, index: int, forward: Callable) -> Callable:
        """`forward` of block `index`, recorded in the span."""
        for number, segment in enumerate(self._segments):
            if index in segment:
                forward = self._keep_form(index, forward)
                if index in self._outlets:
                    forward = self._keep_output(number, index, forward)
                if self.reuse.kind is Kind.DELTA and index == segment.first:
                    forward = self._keep_input(number, index, forward)
        return forward

    def _keep_form(self, index: int, forward: Callable) -> Callable:
        contract, enters = self._chain.contracts[index], index == self.reuse.span.first

        def entered_form(args: tuple, kwargs: dict) -> Form:
            return form(contract.read(args, kwargs))

        def keep_returned(output: object, entered: Form | None) -> None:
            self._returned[index] = form(contract.unpack(output))
            if contract.guessed and self._returned[index] != entered:
                made = shapes(self._returned[index])
                raise ContractError(f"a block made {made} of {shapes(entered)}: no hidden state")

        def keep(*args, **kwargs):
            entered = self._survive(entered_form, args, kwargs) if enters or contract.guessed else None
            if enters:
                self._entered = entered
            output = forward(*args, **kwargs)
            self._survive(keep_returned, output, entered)
            return output
        return keep

    def _keep_input(self, number: int, index: int, forward: Callable) -> Callable:
        def keep_entered(args: tuple, kwargs: dict) -> None:
            with self._keeping():
                self._before[number] = copy(self._chain.contracts[index].read(args, kwargs))

        def keep(*args, **kwargs):
            self._survive(keep_entered, args, kwargs)
            return forward(*args, **kwargs)
        return keep

    def _keep_output(self, number: int, index: int, forward: Callable) -> Callable:
        def keep_returned(output: object) -> None:
            hidden = self._chain.contracts[index].unpack(output)
            with self._keeping():
                if self.reuse.kind is Kind.FEATURE:
                    self._after[index] = copy(hidden)
                elif number in self._before:
                    self._after[index] = subtract(hidden, self._before[number])

        def keep(*args, **kwargs):
            output = forward(*args, **kwargs)
            self._repeated |= index in self._after
            self._survive(keep_returned, output)
            if index == self._segments[number].last:
                self._before.pop(number, None)
            return output
        return keep

    def _survive(self, keep: Callable[..., Result], *args: object) -> Result | None:
        """What cannot be stored costs speed, never the picture."""
        try:
            return keep(*args)
        except ContractError as error:
            self.failure = str(error)
        except torch.OutOfMemoryError:  # for the run, which has memory to give back
            raise
        except Exception as error:  # whatever another pack's block takes and gives
            self.failure = f"{type(error).__name__} {error}"
        return None

    def stored(self) -> Stored | None:
        """What was recorded, or None where the span was not computed exactly once."""
        if self.failure or self._repeated or self._entered is None or len(self._after) < len(self._outlets):
            return None
        return Stored(self._after, self._entered, self._returned)


class Interception:
    """Context of one call of the model. `executed` counts the blocks that were computed in it; with a `counter`,
    `macs` is what each of them took. Whatever order those of several threads end in, nothing of them stays.
    """

    def __init__(self, chain: Chain, replay: Replay | None = None, recorders: tuple[Recorder, ...] = (),
                 counter: MacCounter | None = None):
        self._blocks = [(index, block, contract.method)
                        for index, (block, contract) in enumerate(zip(chain.blocks, chain.contracts))
                        if isinstance(block, Module)]
        self.executed = len(chain.blocks) - len(self._blocks)  # an engine in place of a model cannot be watched
        self.macs = [0] * len(chain.blocks)
        self._counter = counter
        self._chain = chain
        self._replay = replay
        self._recorders = recorders
        self._overridden: list[tuple[dict, str, Callable]] = []

    def __enter__(self) -> "Interception":
        for index, block, method in self._blocks:
            self._override(block, method, self._intercept(index, getattr(block, method)))
            if self._replay is not None and index in self._replay.span:
                # ComfyUI walks the next block's modules to move their weights to the GPU ahead of time
                self._override(block, "modules", lambda *_, **__: iter(()))
        return self

    def _override(self, block: Module, name: str, value: Callable) -> None:
        value.previous, value.ended = block.__dict__.get(name), False
        block.__dict__[name] = value
        self._overridden.append((block.__dict__, name, value))

    def __exit__(self, *_) -> None:
        while self._overridden:
            attributes, name, value = self._overridden.pop()
            value.ended = True
            present = attributes.get(name)
            if present is not value and hasattr(present, "ended"):
                continue  # that of another thread came later, and takes this one with it
            while value is not None and getattr(value, "ended", False):
                value = value.previous
            if value is None:
                del attributes[name]
            else:
                attributes[name] = value

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
            if self._counter is None:
                return original(*args, **kwargs)
            before = self._counter.macs
            output = original(*args, **kwargs)
            self.macs[index] += self._counter.macs - before
            return output
        if self._replay is not None and index in self._replay.span:
            return self._replay.stand_in(index, forward)
        for recorder in self._recorders:
            forward = recorder.wrap(index, forward)
        return forward
