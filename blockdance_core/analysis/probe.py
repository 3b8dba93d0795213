"""Samples the blocks of a full run and keeps what their similarity needs. Nothing that the model computes changes.

Memory is bounded, whatever the size of the picture: per block two samples (512 KiB each), per block and evaluation two
sketches (4 KiB each), and up to 48 small pictures of features (256 KiB each).
"""

from contextlib import contextmanager
from typing import Callable, Iterator

import torch

from ..engine.blocks import Chain, ContractError, Hidden
from ..plan.plan import Kind, Transformer
from ..plan.schedule import Schedule
from .similarity import WIDTH, Change, Grid, Similarity, Sketcher, compare

CHANNELS = 32  # of a picture of features
PICTURED_BLOCKS, PICTURED_STEPS = 6, 8


class Probe:
    """What one run has shown so far, on the device that computed it."""

    def __init__(self, transformer: Transformer, schedule: Schedule):
        self._transformer = transformer
        self._schedule = schedule
        self._sketcher = Sketcher()
        self._pictured = frozenset((block, step) for block in spread(transformer.depth, PICTURED_BLOCKS)
                                   for step in spread(schedule.steps, PICTURED_STEPS))
        self._steps: list[int] = []
        self._last: dict[tuple[Kind, int], torch.Tensor] = {}
        self._changes: dict[tuple[Kind, int, int], torch.Tensor] = {}
        self._sketches: dict[tuple[Kind, int, int], torch.Tensor] = {}
        self._pictures: dict[tuple[int, int], torch.Tensor] = {}
        self._notes: dict[str, None] = {}

    @property
    def bytes(self) -> int:
        kept = (self._last, self._changes, self._sketches, self._pictures)
        return sum(tensor.untyped_storage().nbytes() for tensors in kept for tensor in tensors.values())

    def begin(self, step: int) -> None:
        """The next evaluation, which belongs to this step."""
        self._steps.append(step)

    def sample(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._sketcher.sample(tokens)

    def add(self, block: int, before: torch.Tensor, after: torch.Tensor, tokens: torch.Tensor,
            latent: torch.Size) -> None:
        """One call of a block: samples of its hidden state before and after, and all tokens (T, D) after it.

        Of several calls in an evaluation the first counts.
        """
        evaluation = len(self._steps) - 1
        if (Kind.FEATURE, block, evaluation) in self._sketches:
            return
        samples = {Kind.FEATURE: after}
        if before.shape == after.shape:
            samples[Kind.DELTA] = after - before
        for kind, now in samples.items():
            last = self._last.get((kind, block))
            if last is not None and last.shape == now.shape:
                self._changes[kind, block, evaluation] = compare(now, last)
            self._last[kind, block] = now
            self._sketches[kind, block, evaluation] = self._sketcher.sketch(now)
        place = block, self._steps[-1]
        if place in self._pictured and place not in self._pictures and (grid := Grid.of(len(tokens), latent)):
            self._pictures[place] = grid.picture(self._sketcher.project(tokens, CHANNELS))

    def note(self, text: str) -> None:
        """Something that the user should know of the result."""
        self._notes[text] = None

    @contextmanager
    def survive(self) -> Iterator[None]:
        """What cannot be sampled is noted, and costs nothing else."""
        try:
            yield
        except ContractError as error:
            self.note(str(error))
        except Exception as error:  # whatever another pack's block takes and gives, and memory
            self.note(f"{type(error).__name__} {error}")

    def similarity(self) -> Similarity:
        percents = tuple(self._schedule.percent_at(sigma) for sigma in self._schedule.sigmas)
        changes = {kind: Change(*self._table(self._changes, kind, 2).unbind(-1)) for kind in Kind}
        sketches = {kind: self._table(self._sketches, kind, WIDTH) for kind in Kind}
        pictures = {place: picture.cpu() for place, picture in sorted(self._pictures.items())}
        return Similarity(self._transformer, tuple(self._steps), percents, changes, sketches, pictures,
                          tuple(self._notes))

    def _table(self, entries: dict[tuple[Kind, int, int], torch.Tensor], kind: Kind, width: int) -> torch.Tensor:
        """(E, depth, width), NaN where there is no entry."""
        table = torch.full((len(self._steps), self._transformer.depth, width), torch.nan)
        found = {(evaluation, block): entry for (of, block, evaluation), entry in entries.items() if of is kind}
        if found:
            evaluations, blocks = zip(*found)
            table[list(evaluations), list(blocks)] = torch.stack(list(found.values())).cpu()
        return table


class BlockRecorder:
    """Samples the blocks of one pass, as an Interception's recorder.

    row: which picture of the batch is kept; latent: the shape of what the pass was called with. A hidden state without
    a batch of that size in front is taken as one picture's. Of several tensors (image and text) the largest is kept.
    """

    def __init__(self, probe: Probe, chain: Chain, row: int, latent: torch.Size):
        self._probe = probe
        self._chain = chain
        self._row = row
        self._latent = latent

    def wrap(self, index: int, forward: Callable) -> Callable:
        """`forward` of block `index`, sampled before and after."""
        contract = self._chain.contracts[index]

        def record(*args, **kwargs):
            before = None
            with self._probe.survive():
                hidden = contract.read(args, kwargs)
                place = max(range(len(hidden)), key=lambda i: 0 if hidden[i] is None else hidden[i].numel())
                before = self._probe.sample(self._tokens(hidden, place))  # a copy: blocks work in place
            output = forward(*args, **kwargs)
            if before is not None:
                with self._probe.survive():
                    tokens = self._tokens(contract.unpack(output), place)
                    self._probe.add(index, before, self._probe.sample(tokens), tokens, self._latent)
            return output
        return record

    def _tokens(self, hidden: Hidden, place: int) -> torch.Tensor:
        """(T, D)"""
        tensor = hidden[place]
        if tensor is None or tensor.ndim < 2:
            raise ContractError("a block has no hidden state to look at")
        if tensor.ndim > 2 and len(tensor) == self._latent[0]:
            tensor = tensor[self._row]
        return tensor.reshape(-1, tensor.shape[-1])


def spread(count: int, most: int) -> tuple[int, ...]:
    """Up to `most` of the numbers below `count`, in equal distances, both ends among them."""
    most = min(count, most)
    return tuple(round(i * (count - 1) / max(1, most - 1)) for i in range(most))
