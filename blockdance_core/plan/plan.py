"""What a run is to compute and to reuse, made before it: data, without behaviour.

A plan says for each step which span of blocks is replaced by what was stored, if any, whether the model is skipped, and
what is stored for later. Most methods are a plan; one that looks at the run begins with one and has a controller of its
own (engine/controller.py). `Storage` says how a run keeps what it stores.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Iterator, Sequence

import torch

from .extrapolation import Extrapolation
from .schedule import SamplerTraits


@dataclass(frozen=True)
class Transformer:
    """What a method needs to know of a model: its class and how many blocks each of its stacks has, in order."""
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


@dataclass(frozen=True)
class Reuse:
    """A span and what replaces it. Also the name under which the engine stores it."""
    span: Span
    kind: Kind


@dataclass(frozen=True)
class SkipModel:
    """Nothing of the model is computed: what the sampler gets of it, after guidance, is extrapolated from the outputs
    of earlier evaluations. blocks: how many the model has."""
    blocks: int

    @property
    def span(self) -> Span:
        """What is left out, as blocks."""
        return Span(0, self.blocks - 1)


@dataclass(frozen=True)
class Decision:
    """What one evaluation does: replace a span or skip the model, or compute everything and store what later steps will
    reuse.

    undecided: a span about which the controller decides in each pass, having seen what comes to it (engine/gate.py).
    """
    reuse: Reuse | SkipModel | None = None
    store: tuple[Reuse | SkipModel, ...] = ()
    undecided: Reuse | None = None

    @property
    def may_reuse(self) -> bool:
        return self.reuse is not None or self.undecided is not None


COMPUTE = Decision()

DTYPES = {"model": None, "bf16": torch.bfloat16, "fp8": torch.float8_e4m3fn}
OFFLOADS = ("auto", "off", "on")


@dataclass(frozen=True)
class Storage:
    """How much memory a run may take for what it stores, and where: the choices of a user.

    dtype: a name in DTYPES, "model" for that of the hidden states; smaller ones are never made larger.
    offload: whether what is stored goes to main memory: "on", "off", or "auto", where the device has none to spare.
    """
    dtype: str = "model"
    offload: str = "auto"

    def __post_init__(self):
        if self.dtype not in DTYPES:
            raise ValueError(f"storage is {self.dtype!r}; use one of {', '.join(DTYPES)}")
        if self.offload not in OFFLOADS:
            raise ValueError(f"offload is {self.offload!r}; use one of {', '.join(OFFLOADS)}")


@dataclass(frozen=True)
class Plan:
    """One decision per step. `note` is what the user should know of it, above all why it does less than asked for.

    extrapolation: how what is reused is made of several stored ones; None repeats the latest, as the papers do. Where
    the model is skipped, outputs are extrapolated as the quantity that the extrapolation is of, else as the sampler's.
    storage: how hidden states are kept between steps.
    sampler: what the plan knows of the sampler, where that is more than its name tells.
    expected: how close the result is expected to be to that of a full run, in dB; None where nothing is known of it.
    """
    decisions: tuple[Decision, ...]
    note: str = ""
    extrapolation: Extrapolation | None = None
    storage: Storage = Storage()
    sampler: SamplerTraits | None = None
    expected: float | None = None

    @classmethod
    def from_reuses(cls, reuses: Sequence[Reuse | SkipModel | None], note: str = "",
                    extrapolation: Extrapolation | None = None) -> "Plan":
        """The plan that reuses as given (None = computed); a computed step stores what its followers reuse."""
        if reuses and reuses[0] is not None:
            raise ValueError("the first step has nothing to reuse; it must be computed")
        decisions = []
        anchors = extrapolation.anchors if extrapolation else 1
        wanted: dict[Reuse | SkipModel, int] = {}  # how many more computed steps each is to be stored by
        for reuse in reversed(reuses):
            if reuse is None:
                decisions.append(Decision(store=tuple(wanted)))
                wanted = {reuse: left - 1 for reuse, left in wanted.items() if left > 1}
            else:
                decisions.append(Decision(reuse=reuse))
                repeated = isinstance(reuse, Reuse) and reuse.kind is Kind.FEATURE
                wanted[reuse] = 1 if repeated else anchors
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
