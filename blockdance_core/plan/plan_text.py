"""A plan as JSON that people read, keep and edit.

    {
      "blockdance_plan": 1,
      "steps": 8,
      "forecast": "measured",
      "reuse": [
        {"kind": "output", "steps": [2, 4, 5, 6]}
      ]
    }

Steps count from 0, as in a report; those that are not named are computed. `kind` is `output`, or `feature` or `delta`
with the `blocks` that they stand for, first and last. `forecast` makes what is reused of the latest computed steps:
`off` repeats, `linear` and `quadratic` continue deltas and repeat features, `measured` goes by the profile of the
model, as Auto does.
"""

import json
from dataclasses import dataclass
from reprlib import repr  # of what may be long

from ..words import article
from .extrapolation import FORECASTS
from .plan import Kind, Plan, Reuse, SkipModel, Span

VERSION = 1
MEASURED = "measured"
MOST_STEPS, LARGEST = 10_000, 2 ** 20  # characters; a plan of 1000 steps has 6000
OUTPUT = "output"  # of the whole model
ALLOWED = {OUTPUT: (MEASURED,), Kind.FEATURE.value: tuple(FORECASTS), Kind.DELTA.value: (*FORECASTS, MEASURED)}


class PlanError(ValueError):
    """A text that is no plan."""


@dataclass(frozen=True)
class Part:
    """Steps that reuse the same. kind: in ALLOWED; blocks: first and last; None for the whole output."""
    kind: str
    steps: tuple[int, ...]
    blocks: tuple[int, int] | None = None


@dataclass(frozen=True)
class WrittenPlan:
    steps: int
    forecast: str
    parts: tuple[Part, ...]

    def __post_init__(self):
        if type(self.steps) is not int or not 1 <= self.steps <= MOST_STEPS:
            raise PlanError(f"\"steps\" is {repr(self.steps)}; use a number from 1 to {MOST_STEPS}")
        named: set[int] = set()
        for part in self.parts:
            if self.forecast not in ALLOWED[part.kind]:
                raise PlanError(f"\"forecast\" is {repr(self.forecast)}; steps that reuse "
                                f"{article(part.kind)} go with {' or '.join(map(repr, ALLOWED[part.kind]))}")
            for step in part.steps:
                if type(step) is not int or not 1 <= step < self.steps:
                    raise PlanError(f"step {repr(step)} is to be reused; use 1 to {self.steps - 1}, as the first one "
                                    "must be computed")
                if step in named:
                    raise PlanError(f"step {step} is named twice")
                named.add(step)

    def reuses(self, depth: int) -> list[Reuse | SkipModel | None]:
        """What each step reuses in a model of so many blocks. Raises PlanError where blocks are not in it."""
        found: list[Reuse | SkipModel | None] = [None] * self.steps
        for part in self.parts:
            first, last = part.blocks or (0, depth - 1)
            if not 0 <= first <= last < depth:
                raise PlanError(f"\"blocks\" is [{first}, {last}]; this model has the blocks 0 to {depth - 1}")
            for step in part.steps:
                found[step] = SkipModel(depth) if part.kind == OUTPUT else Reuse(Span(first, last), Kind(part.kind))
        return found


def written(plan: Plan) -> str:
    """A plan as this text."""
    steps: dict[Reuse | SkipModel, list[int]] = {}
    for step in plan.reused_steps:
        steps.setdefault(plan.decisions[step].reuse, []).append(step)
    forecast = next((name for name, known in FORECASTS.items() if known == plan.extrapolation), MEASURED)
    parts = [{"kind": OUTPUT, "steps": some} if isinstance(reuse, SkipModel) else
             {"kind": reuse.kind.value, "steps": some, "blocks": [reuse.span.first, reuse.span.last]}
             for reuse, some in steps.items()]
    head = {"blockdance_plan": VERSION, "steps": plan.steps, "forecast": forecast}
    lines = [*(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()),
             "  \"reuse\": [" + ",".join(f"\n    {json.dumps(part)}" for part in parts) + "\n  ]"]
    return "{\n" + ",\n".join(lines) + "\n}"


def read(text: str) -> WrittenPlan:
    """Raises PlanError, with the reason and the place, for a text that is no plan."""
    if len(text) > LARGEST:
        raise PlanError(f"the text has {len(text)} characters, which no plan has")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("blockdance_plan") != VERSION:
        raise PlanError(f"no plan of this version: a plan has \"blockdance_plan\": {VERSION}, as in the `plan` output "
                        "of BlockDance Report")
    if unknown := found.keys() - {"blockdance_plan", "steps", "forecast", "reuse"}:
        raise PlanError(f"unknown: {', '.join(sorted(unknown))}")
    reuse = found.get("reuse", [])
    if not isinstance(reuse, list):
        raise PlanError(f"\"reuse\" is {repr(reuse)}; use a list")
    return WrittenPlan(found.get("steps"), found.get("forecast", "off"), tuple(map(_part, reuse)))


def _part(found: object) -> Part:
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str) or found["kind"] not in ALLOWED:
        raise PlanError(f"{repr(found)} needs a \"kind\": {', '.join(ALLOWED)}")
    if unknown := found.keys() - {"kind", "steps", "blocks"}:
        raise PlanError(f"unknown in {repr(found)}: {', '.join(sorted(unknown))}")
    kind, steps, blocks = found["kind"], found.get("steps"), found.get("blocks")
    if not isinstance(steps, list):
        raise PlanError(f"\"steps\" of {repr(found)} is {repr(steps)}; use a list of numbers")
    if kind == OUTPUT:
        if blocks is not None:
            raise PlanError("the output is that of all blocks: leave \"blocks\" out")
        return Part(kind, tuple(steps))
    if not isinstance(blocks, list) or len(blocks) != 2 or any(type(block) is not int for block in blocks):
        raise PlanError(f"\"blocks\" of {repr(found)} is {repr(blocks)}; use [first, last]")
    return Part(kind, tuple(steps), tuple(blocks))
