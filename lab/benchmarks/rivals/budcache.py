"""BudCache: of a fixed number of computed evaluations, those with which plain reuse comes closest in real runs.

BudCache, arXiv 2606.13496 (ICML 2026), stage 1: the loss is the mean square error of the final latent against the full
run's, over calibration prompts; simulated annealing from a random plan moves one computed evaluation at a time (two in
a tenth of the moves), mostly by up to three steps, and hill climbing then takes the best of all moves by up to three
steps and of some farther ones until none is better. The first quarter of the budget stays at the beginning. Numbers
are the authors'; temperatures are in units of the first plan's loss, as theirs are about that of FLUX.
"""

import math
import random
from typing import Callable, Iterator

Plan = tuple[int, ...]  # the computed evaluations

ANNEALING, CLIMBS = 200, 20
HOTTEST, COLDEST = .5, 1e-4  # of the first loss; the authors' .05 and 1e-5
NEAR, OFTEN_NEAR, PAIRS, FAR_MOVES = 3, .7, .1, 2


class BudCache:
    """The search for one budget. loss: of a plan, by real runs; no plan is tried twice."""

    def __init__(self, steps: int, count: int, loss: Callable[[Plan], float], seed: int = 42):
        if not 1 <= count <= steps:
            raise ValueError(f"{count} evaluations of {steps}: use 1 to {steps}")
        self._steps, self._count = steps, count
        self._prefix = max(1, count // 4)
        self._measure = loss
        self._random = random.Random(seed)
        self.losses: dict[Plan, float] = {}

    def search(self, annealing: int = ANNEALING, climbs: int = CLIMBS) -> Plan:
        """The best plan found."""
        free = range(self._prefix, self._steps)
        begin = *range(self._prefix), *sorted(self._random.sample(free, self._count - self._prefix))
        if 1 < self._count < self._steps:
            self._climb(self._anneal(begin, annealing), climbs)
        else:
            self._loss(begin)
        return min(self.losses, key=self.losses.get)

    def _anneal(self, plan: Plan, tries: int) -> Plan:
        unit = self._loss(plan)
        for number in range(tries):
            temperature = unit * HOTTEST * (COLDEST / HOTTEST) ** (number / tries)
            other = self._moved(plan)
            worse = self._loss(other) - self._loss(plan)
            if worse < 0 or (temperature > 0 and self._random.random() < math.exp(-worse / temperature)):
                plan = other
        return plan

    def _climb(self, plan: Plan, rounds: int) -> None:
        for _ in range(rounds):
            best = min(self._neighbours(plan), key=self._loss, default=plan)
            if self._loss(best) >= self._loss(plan):
                return
            plan = best

    def _loss(self, plan: Plan) -> float:
        if plan not in self.losses:
            self.losses[plan] = self._measure(plan)
        return self.losses[plan]

    def _moved(self, plan: Plan) -> Plan:
        movable, places = list(plan[self._prefix:]), self._places(plan)
        if self._random.random() < PAIRS and min(len(movable), len(places)) > 1:
            gone, come = self._random.sample(movable, 2), self._random.sample(places, 2)
        else:
            gone = [self._random.choice(movable)]
            near = [place for place in places if abs(place - gone[0]) <= NEAR]
            come = [self._random.choice(near if near and self._random.random() < OFTEN_NEAR else places)]
        return tuple(sorted({*plan, *come} - {*gone}))

    def _neighbours(self, plan: Plan) -> Iterator[Plan]:
        places = self._places(plan)
        for gone in plan[self._prefix:]:
            near = [place for place in places if abs(place - gone) <= NEAR]
            far = self._random.sample(places, min(FAR_MOVES, len(places)))
            for come in dict.fromkeys(near + far):
                yield tuple(sorted({*plan, come} - {gone}))

    def _places(self, plan: Plan) -> list[int]:
        return [place for place in range(self._prefix, self._steps) if place not in plan]
