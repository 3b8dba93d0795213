"""One pass in which the decision falls at the first block of a span, from what the blocks before it have shown.

Threshold methods (TeaCache, First Block Cache, DiCache) decide so: they compare what comes to the span with what came
when it was last computed.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Callable, ContextManager

from torch.nn import Module

from ..plan.plan import Reuse
from .blocks import Chain, Hidden, copy
from .cache import Stored
from .interception import Recorder, Replay


@dataclass(frozen=True)
class Sight:
    """What can be seen of a pass before the span. entered: the hidden state that the first block of all was called
    with; arrived: that of the first block of the span; block: the first block of all; run_block: runs it once more."""
    entered: Hidden
    arrived: Hidden
    block: Module
    run_block: Callable[[], object]


class Gate:
    """A recorder for Interception. `decide` says what replaces the span, or None to have it computed and stored;
    keeping: around whatever is stored."""

    def __init__(self, chain: Chain, reuse: Reuse, decide: Callable[[Sight], Stored | None],
                 keeping: Callable[[], ContextManager] = nullcontext):
        self._sight: Sight | None = None
        self._chain = chain
        self._reuse = reuse
        self._decide = decide
        self._keeping = keeping
        self._recorder = Recorder(chain, reuse, keeping)
        self._replay: Replay | None = None
        self._entered: Hidden = ()
        self._run_block: Callable[[], object] | None = None

    def wrap(self, index: int, forward: Callable) -> Callable:
        """`forward` of block `index`, read before the span, and recorded or replaced in it."""
        recorded = self._recorder.wrap(index, forward)

        def gated(*args, **kwargs):
            if index == 0:
                with self._keeping():
                    self._entered = copy(self._chain.contracts[0].read(args, kwargs))
                self._run_block = lambda: forward(*args, **kwargs)
            if index == self._reuse.span.first:
                with self._keeping():
                    arrived = copy(self._chain.contracts[index].read(args, kwargs))
                self._open(arrived)
            if self._replay is not None and index in self._reuse.span:
                return self._replay.stand_in(index, forward)(*args, **kwargs)
            return recorded(*args, **kwargs)
        return gated

    def _open(self, arrived: Hidden) -> None:
        self._sight = Sight(self._entered, arrived, self._chain.blocks[0], self._run_block)
        stored = self._decide(self._sight)
        if stored is not None:
            self._replay = Replay(self._chain, self._reuse, stored)

    @property
    def replaced(self) -> int:
        """How many blocks were replaced."""
        return 0 if self._replay is None else self._replay.replaced

    @property
    def failure(self) -> str:
        """Why the span could not be stored, if it was computed and could not."""
        return self._recorder.failure or "the model did not run them exactly once"

    def finish(self) -> tuple[Sight | None, Stored | None]:
        """After the pass: what was seen of it, and what it has stored, None where it has replaced or could not store.
        Not to be called twice."""
        sight, self._sight, self._run_block = self._sight, None, None  # they lead back here, and would wait for the gc
        if self._replay is not None:
            self._replay.finish()
            return sight, None
        return sight, self._recorder.stored()
