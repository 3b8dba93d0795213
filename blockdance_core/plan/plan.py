"""The one data structure that every method produces and the engine executes.

A plan says, for each step of a sampling run, which span of blocks is computed and which is replaced from the cache,
and how. A method is only a way to choose one.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Callable, Hashable, Iterator, Mapping, Protocol, Sequence

import torch

from .extrapolation import Extrapolation
from .schedule import SamplerTraits
from .storage import Storage

if TYPE_CHECKING:
    from ..auto.outputs import Outputs


@dataclass(frozen=True)
class Transformer:
    """What a policy needs to know of a model: its class and how many blocks each of its stacks has, in order."""
    name: str
    stacks: tuple[int, ...]

    @property
    def depth(self) -> int:
        return sum(self.stacks)


@dataclass(frozen=True)
class Span:
    """Blocks first..last, both included, counted from 0 through the stacks in execution order."""
    first: int
    last: int

    def __post_init__(self):
        if not 0 <= self.first <= self.last:
            raise ValueError(f"a span needs 0 <= first <= last; got first={self.first}, last={self.last}")

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __contains__(self, block: int) -> bool:
        return self.first <= block <= self.last


class Kind(Enum):
    """What stands in for a span that is not computed."""
    FEATURE = "feature"  # the stored hidden state after the span (BlockDance, section 3.2)
    DELTA = "delta"  # the current hidden state before the span plus the stored change over it (Delta-DiT, section 3.2)
    OUTPUT = "output"  # what the sampler gets of the whole model, after guidance: nothing of the model is computed


SPAN_KINDS = (Kind.FEATURE, Kind.DELTA)  # those that replace some blocks of a pass


@dataclass(frozen=True)
class Reuse:
    """A span and what replaces it. Also the name under which the engine stores it."""
    span: Span
    kind: Kind


@dataclass(frozen=True)
class Decision:
    """What one evaluation does: replace a span, or compute everything and store what later steps will reuse."""
    reuse: Reuse | None = None
    store: tuple[Reuse, ...] = ()


COMPUTE = Decision()


class Listener(Protocol):
    """Hears the outputs of one run."""

    def hear(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        """What an evaluation at sigma made of the latent; both are the sampler's own, to be read only. whole: whether
        this is all that the sampler takes from it, as far as can be seen."""

    def finish(self) -> str:
        """The run has come to its end; says in a sentence what came of it."""


@dataclass(frozen=True)
class Moment:
    """Where a run is before one of its evaluations. All of it is to be read only.

    latent: the sampler's, (B, C, ...). conditions: the guider's by name, as ComfyUI has prepared them; active: which
    of them apply at a sigma. outputs: those so far, where the plan forecasts some.
    """
    step: int
    latent: torch.Tensor
    conditions: Mapping[str, list]
    active: Callable[[float], Hashable]
    outputs: "Outputs | None"


class Adviser(Protocol):
    """Looks at a run before each of its evaluations."""

    def advise(self, moment: Moment) -> "Plan | None":
        """A plan to go on by, whose decisions from `moment.step` on are followed, and its extrapolation; None to go on
        as before."""


@dataclass(frozen=True)
class Plan:
    """One decision per step. `note` is what the user should know of it, above all why it does less than asked for.

    extrapolation: how what is reused is made of several stored ones; None repeats the latest, as the papers do.
    listener: what wants to know the outputs of the run.
    adviser: what may change the plan while the run goes on.
    storage: how hidden states are kept between steps.
    sampler: what the plan knows of the sampler, where that is more than its name tells.
    """
    decisions: tuple[Decision, ...]
    note: str = ""
    extrapolation: Extrapolation | None = None
    listener: Listener | None = None
    adviser: Adviser | None = None
    storage: Storage = Storage()
    sampler: SamplerTraits | None = None

    @classmethod
    def from_reuses(cls, reuses: Sequence[Reuse | None], note: str = "",
                    extrapolation: Extrapolation | None = None) -> "Plan":
        """The plan that reuses as given (None = computed); a computed step stores what its followers reuse."""
        if reuses and reuses[0] is not None:
            raise ValueError("the first step has nothing to reuse; it must be computed")
        decisions = []
        anchors = extrapolation.anchors if extrapolation else 1
        wanted: dict[Reuse, int] = {}  # how many more computed steps each is to be stored by
        for reuse in reversed(reuses):
            if reuse is None:
                decisions.append(Decision(store=tuple(wanted)))
                wanted = {reuse: left - 1 for reuse, left in wanted.items() if left > 1}
            else:
                decisions.append(Decision(reuse=reuse))
                wanted[reuse] = 1 if reuse.kind is Kind.FEATURE else anchors  # a feature is repeated
        return cls(tuple(reversed(decisions)), note, extrapolation)

    @property
    def steps(self) -> int:
        return len(self.decisions)

    @property
    def reused_steps(self) -> tuple[int, ...]:
        return tuple(step for step, decision in enumerate(self.decisions) if decision.reuse is not None)

    def computed_blocks(self, depth: int) -> int:
        """Blocks that a model of this depth computes over the whole plan, one pass per step."""
        skipped = sum(len(decision.reuse.span) for decision in self.decisions if decision.reuse is not None)
        return depth * self.steps - skipped
