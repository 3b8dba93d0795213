"""What Auto does where the outputs of a run do not go on as they were going.

A prompt, an area or a ControlNet that applies to a part of sampling bends their course. The conditions tell so before
the run, and the rest shows in the outputs themselves: each one that is computed is compared with its own forecast
(outputs.py). Forecasts then hardly rely on what was computed on the other side of the bend, and the computed
evaluations that are left are distributed anew; their number stays what it was.
"""

from dataclasses import replace
from typing import Callable, Collection

import numpy as np

from ..plan import Moment, Plan
from ..schedule import Schedule
from .forecaster import KernelForecaster
from .planner import Begun, best


class Correction:
    """The Adviser of one run."""

    def __init__(self, schedule: Schedule, forecaster: KernelForecaster, computed: Collection[int],
                 plan_of: Callable[[Collection[int], KernelForecaster, str], Plan]):
        """computed: the evaluations of the plan. plan_of: the plan of other ones, with their forecaster and a note."""
        self._schedule = schedule
        self._forecaster = forecaster
        self._computed = tuple(sorted(computed))
        self._plan_of = plan_of
        self._notes: list[str] = []

    def advise(self, moment: Moment) -> Plan | None:
        if moment.step == 0:
            active = [moment.active(sigma) for sigma in self._schedule.sigmas[:-1]]
            changes = [step for step in range(1, len(active)) if active[step] != active[step - 1]]
            if changes:
                self._notes.append("planned for other conditions from step "
                                   + " and ".join(str(step + 1) for step in changes))
                return self._bend([(step - 1, step) for step in changes], None)
        elif moment.outputs is not None and moment.outputs.broke:
            now = moment.step - 1
            before = max(step for step in self._computed if step < now)
            self._notes.append(f"planned anew at step {moment.step + 1}, as the outputs changed their course")
            past = tuple(step for step in self._computed if step <= now)
            return self._bend([(before, now)], Begun(past, moment.outputs.error))
        return None

    def _bend(self, between: list[tuple[int, int]], begun: Begun | None) -> Plan:
        """The plan of the rest with a bend of the outputs midway between each two of these steps."""
        times = self._schedule.times
        bends = [(times[before] + times[after]) / 2 for before, after in between]
        self._forecaster = replace(self._forecaster, bends=(*self._forecaster.bends, *bends))
        count = len(self._computed)
        found, = best(self._forecaster.gram(times[:-1]), np.array(times), self._forecaster.rules,
                      self._forecaster.quantity, count, begun=begun)
        self._computed = found.computed
        return self._plan_of(self._computed, self._forecaster, "; ".join(self._notes))
