"""What the pack does once in a run and not at every evaluation: making Auto's plan, and counting the MACs of a pass."""

import time
from dataclasses import dataclass, replace
from typing import Callable, Iterator

from ....blockdance_core.engine.macs import MacCounter
from ....blockdance_core.plan.plan import Transformer
from ....blockdance_core.plan.schedule import Schedule
from .methods import METHODS
from .models import narrow

STEPS, BLOCKS, ROUNDS = (20, 28, 50, 100, 200), (28, 60), 5


@dataclass(frozen=True)
class Once:
    """milliseconds: of processor time."""
    what: str
    milliseconds: float


def measure() -> Iterator[Once]:
    for steps in STEPS:
        yield Once(f"Auto's plan for {steps} steps and 60 blocks", _least(lambda: _plan(steps)))
    for blocks in BLOCKS:
        yield Once(f"counting MACs: a pass of {blocks} blocks", _counting(blocks))


def _plan(steps: int) -> None:
    """By a method that has made none yet."""
    replace(METHODS["Auto 2x"]).plan(Schedule.even(steps), Transformer("", (60,)))


def _counting(blocks: int) -> float:
    """How much longer a pass takes that is counted; the cost is by operator, whatever the width."""
    size = narrow(blocks)
    model = size.build()

    def counted() -> None:
        with MacCounter():
            size.sample(model, 1)
    return _least(counted) - _least(lambda: size.sample(model, 1))


def _least(run: Callable[[], object]) -> float:
    """Milliseconds of the quickest of several runs, the first being one to warm up."""
    found = []
    for _ in range(ROUNDS + 1):
        started = time.process_time()
        run()
        found.append(1000 * (time.process_time() - started))
    return min(found[1:])
