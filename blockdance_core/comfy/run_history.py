"""The finished runs of a patched model, each with where it was in the execution of a workflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from comfy_execution.utils import get_executing_context

MOST_RUNS = 1000  # runs: the account of one takes some ten KiB
Result = TypeVar("Result")


@dataclass(frozen=True)
class Place:
    """prompt: one execution of a workflow. node: the id of the node that sampled; one that another node has made, as
    loops do, has an id that begins with the other's. call: which of the calls for a list of inputs."""
    prompt: str
    node: str
    call: int

    @property
    def root(self) -> str:
        """The node of the workflow itself."""
        return self.node.partition(".")[0]

    def call_of(self, source: str) -> int | None:
        """Which of the calls of a node sampled here, by itself or by nodes that it has made; None where none did."""
        if self.node == source:
            return self.call
        if not self.node.startswith(f"{source}."):
            return None
        call = self.node[len(source) + 1:].partition(".")[0]  # as the host's GraphBuilder names them
        return int(call) if call.isdecimal() else 0


def here() -> Place | None:
    """Where the host is; None in a program that calls nodes by itself."""
    context = get_executing_context()
    return context and Place(context.prompt_id, context.node_id, context.list_index or 0)


class Shared:
    """What copies of model_options have in common: nodes copy them, wrappers included, in the middle of a run."""

    def __deepcopy__(self, memo: dict) -> "Shared":
        return self


@dataclass
class History(Shared):
    """What the latest runs have left, at most `most`. Those of an earlier execution go once their node runs again."""
    most: int = MOST_RUNS
    _runs: list[tuple[Place | None, object]] = field(default_factory=list)

    def add(self, result: object) -> None:
        """result: None of a run that has left nothing."""
        place = here()
        kept = [(past, run) for past, run in self._runs if not _forgotten(past, place)]
        self._runs[:] = [*kept, (place, result)][-self.most:]

    def latest(self, kind: type[Result]) -> Result | None:
        """What the latest run has left, if it is of this kind."""
        run = self._runs[-1][1] if self._runs else None
        return run if isinstance(run, kind) else None

    def behind(self, kind: type[Result], place: Place, sources: Mapping[str, bool]) -> list[Result]:
        """The runs that have made what a node gets at a place, in order; the latest one where that cannot be told, and
        none where they are no longer kept.

        sources: the nodes that it comes from, and whether what they did for all of a list is in it; otherwise the
        first call gets what came of the first of theirs, and so on, as the host hands lists on. Of nodes that the host
        did not run again, the latest execution counts in which one of them did.
        """
        found = [_Made(past.prompt, source, call, run) for past, run in self._runs if past and isinstance(run, kind)
                 for source in sources if (call := past.call_of(source)) is not None]
        if not found:
            latest = self.latest(kind)
            return [] if latest is None else [latest]
        prompt = place.prompt if any(made.prompt == place.prompt for made in found) else found[-1].prompt
        found = [made for made in found if made.prompt == prompt]
        last = {made.source: max(other.call for other in found if other.source == made.source) for made in found}
        return [made.run for made in found
                if sources[made.source] or made.call == min(place.call, last[made.source])]


@dataclass(frozen=True)
class _Made:
    prompt: str
    source: str
    call: int
    run: object


def _forgotten(past: Place | None, now: Place | None) -> bool:
    """Whether a run at one place takes the place of an earlier one at another."""
    if past is None or now is None:
        return past is now
    return past.root == now.root and past.prompt != now.prompt
