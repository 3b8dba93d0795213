"""What every static cache comes down to: which evaluations of a run are computed, and what the others get of those.

It is put on a model as a plan of the pack's own, so that all static methods run on one engine; nothing else here knows
of it.
"""

from dataclasses import dataclass
from typing import Mapping, Sequence

from comfy.model_patcher import ModelPatcher

from ....blockdance_core.auto.controller import controller_of
from ....blockdance_core.comfy.attach import attach
from ....blockdance_core.comfy.models.architectures import ANY_MODEL
from ....blockdance_core.engine.controller import PlanController, Setup
from ....blockdance_core.plan.plan import COMPUTE, Plan, SkipModel, Transformer
from ....blockdance_core.plan.schedule import Quantity, Schedule

Row = Mapping[int, float]  # weights in one output, by the number of the computed evaluation


@dataclass(frozen=True)
class Recipe:
    """rows[n]: what the output of evaluation n after guidance is made of; {n: 1} where it is computed. Outputs are
    velocities, or pictures where the sampler adds noise at every step."""
    rows: tuple[Row, ...]

    def __post_init__(self):
        if not self.rows or self.computed[:1] != (0,):
            raise ValueError("the first evaluation has nothing to be made of: it must be computed")
        known = set(self.computed)
        for number, row in enumerate(self.rows):
            if not row or any(other > number or other not in known for other in row):
                raise ValueError(f"evaluation {number} is made of {sorted(row)}: use computed ones before it, which "
                                 f"are among {sorted(known)}")

    @property
    def computed(self) -> tuple[int, ...]:
        return tuple(number for number, row in enumerate(self.rows) if number in row)

    def dump(self) -> list[dict[str, float]]:
        """For JSON."""
        return [{str(other): weight for other, weight in row.items()} for row in self.rows]

    @classmethod
    def parse(cls, rows: list[dict[str, float]]) -> "Recipe":
        """What was dumped."""
        return cls(tuple({int(other): weight for other, weight in row.items()} for row in rows))

    @classmethod
    def of(cls, steps: int, computed: Sequence[int], skipped: Mapping[int, Row]) -> "Recipe":
        """Computed ones are left as they are."""
        return cls(tuple({number: 1.} if number in computed else skipped[number] for number in range(steps)))


def repeat(steps: int, computed: Sequence[int]) -> Recipe:
    """Each output that is not computed is the latest that was: plain reuse."""
    return Recipe.of(steps, computed, {number: {max(other for other in computed if other <= number): 1.}
                                       for number in range(steps)})


def attach_static(model: ModelPatcher, name: str, recipe: Recipe) -> ModelPatcher:
    """A clone of the model that samples by this recipe, in runs of as many steps as it has rows; others compute
    everything."""
    return attach(model, _StaticMethod(name, recipe), family=ANY_MODEL)


@dataclass(frozen=True)
class _StaticMethod:
    name: str
    recipe: Recipe

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        steps = len(self.recipe.rows)
        if schedule.steps != steps:
            return Plan((COMPUTE,) * schedule.steps, f"made for {steps} steps, so everything is computed")
        skip = SkipModel(transformer.depth)
        return Plan.from_reuses([None if number in row else skip for number, row in enumerate(self.recipe.rows)],
                                extrapolation=_Rows(self.recipe, schedule.times[:-1], schedule.sampler.quantity))

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        return controller_of(Setup(self.plan(schedule, transformer)), schedule)


@dataclass(frozen=True)
class _Rows:
    """An Extrapolation. Evaluations are told apart by their times, since some samplers have two a step."""
    recipe: Recipe
    times: tuple[float, ...]
    quantity: Quantity

    @property
    def anchors(self) -> int:
        return len(self.recipe.computed)

    def weights(self, anchors: Sequence[float], time: float) -> tuple[float, ...]:
        row, known = self.recipe.rows[self._number(time)], list(map(self._number, anchors))
        if not set(row) <= set(known):  # another evaluation than the recipe's was computed, as samplers of two may do
            row = {known[0]: 1.}
        return tuple(row.get(number, 0.) for number in known)

    def _number(self, time: float) -> int:
        return min(range(len(self.times)), key=lambda number: abs(self.times[number] - time))
