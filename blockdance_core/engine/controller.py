"""Who decides in one run: what to compute, what to reuse, when to skip the model, and what to learn on the way.

A method makes a controller for each run. The engine asks it before every evaluation and tells it what came of each;
it knows no method by name. A plan that is fixed before the run needs no more than `PlanController`.
"""

from dataclasses import dataclass
from typing import Callable, Hashable, Mapping, Protocol

import torch

from ..plan.plan import Decision, Plan
from ..plan.schedule import Schedule
from .cache import Stored
from .gate import Sight
from .step_groups import StepGroups


@dataclass(frozen=True)
class Moment:
    """An evaluation that is about to begin. All of it is to be read only.

    sigma, time: its noise level, and that in the terms of a flow, from noise (1) to picture (0). latent: the sampler's,
    (B, C, ...). conditions: the guider's by name, as ComfyUI has prepared them; active: which of them apply at a sigma.
    whole: whether all that the sampler takes from an evaluation is its output, as far as can be seen. counted: whether
    there has been one evaluation a step, in order.
    """
    step: int
    sigma: float
    time: float
    latent: torch.Tensor
    conditions: Mapping[str, list]
    active: Callable[[float], Hashable]
    whole: bool = True
    counted: bool = True


class GiveUp(Exception):
    """What a controller relies on is not so: everything is computed from here on. The message says why."""


class Controller(Protocol):
    """Of one run.

    plan: what it goes by, data for the report; another one after `replan` where the run turned out otherwise.
    may_reuse: whether anything may be reused in this run; keeps_outputs: whether `skip` and `computed` do anything;
    observes: whether `observe` does. bytes, peak_bytes: of the outputs that it keeps.
    """
    plan: Plan
    may_reuse: bool
    keeps_outputs: bool
    observes: bool
    bytes: int
    peak_bytes: int

    def check(self, moment: Moment) -> str:
        """Before an evaluation: whether what the plan relies on is still so. Returns what the report should note, or
        nothing. Raises GiveUp where it is not."""

    def replan(self, moment: Moment) -> None:
        """Before an evaluation: may change the plan. It may fail, and is not asked again then."""

    def decide(self, step: int) -> Decision:
        """What the evaluation of this step does, from Python numbers alone."""

    def decide_in_pass(self, key: Hashable, sight: Sight) -> Stored | None:
        """In a pass whose decision has a span to look at: what replaces it, or None to compute it. key: of passes that
        may use what others of the same key have stored."""

    def computed_span(self, key: Hashable, sight: Sight, stored: Stored) -> None:
        """The span was computed, and this is what it was."""

    def skip(self, moment: Moment) -> torch.Tensor | None:
        """The output, (B, C, ...), in place of the model's, where the decision skips it; None if there is none."""

    def computed(self, moment: Moment, denoised: torch.Tensor) -> torch.Tensor:
        """What the sampler gets of an output that the model has computed: the same tensor, or a corrected one."""

    def observe(self, moment: Moment, denoised: torch.Tensor) -> None:
        """Learn from what an evaluation gave, where `observes` says so; it may fail without costing the picture."""

    def forget(self) -> None:
        """Nothing is reused any more: free what is kept."""

    def finish(self) -> str:
        """The run has come to its end: what was learnt of it, in words."""


class Kept(Protocol):
    """What a controller keeps of a run's outputs. broke: the latest was nothing like its extrapolation; error: of the
    latent, as far as known."""
    broke: bool
    error: object


class Replanner(Protocol):
    """Looks at a run before each of its evaluations."""

    def replan(self, moment: Moment, kept: Kept | None = None) -> Plan | None:
        """A plan to go on by, whose decisions from `moment.step` on are followed; None to go on as before."""


class Observer(Protocol):
    """Hears the outputs of one run."""

    def observe(self, latent: torch.Tensor, denoised: torch.Tensor, sigma: float, whole: bool = True) -> None:
        """What an evaluation at sigma made of the latent; both are the sampler's own, to be read only. whole: as of
        Moment."""

    def finish(self) -> str:
        """The run has come to its end; says in a sentence what came of it."""


@dataclass(frozen=True)
class Setup:
    """What a run begins with: a plan, who may change it, and who observes."""
    plan: Plan
    replanner: Replanner | None = None
    observer: Observer | None = None


class PlanController:
    """Follows a plan, by the groups of steps that it forms, until a replanner makes another."""
    keeps_outputs = False
    bytes = peak_bytes = 0

    def __init__(self, setup: Setup, schedule: Schedule):
        self.plan = setup.plan
        self._replanner = setup.replanner
        self._observer = setup.observer
        self._groups = StepGroups(setup.plan, {stretch.steps[0] for stretch in schedule.stretches})

    @property
    def may_reuse(self) -> bool:
        return bool(self.plan.reused_steps or self._replanner)

    @property
    def observes(self) -> bool:
        return self._observer is not None

    def check(self, moment: Moment) -> str:
        return ""

    def replan(self, moment: Moment) -> None:
        if self._replanner is not None and (plan := self._replanner.replan(moment, self._kept)) is not None:
            self._groups.replan(plan, moment.step)
            self.plan = plan
            self._follow(plan)

    def decide(self, step: int) -> Decision:
        return self._groups.decide(step)

    def decide_in_pass(self, key: Hashable, sight: Sight) -> Stored | None:
        return None

    def computed_span(self, key: Hashable, sight: Sight, stored: Stored) -> None:
        pass

    def skip(self, moment: Moment) -> torch.Tensor | None:
        return None

    def computed(self, moment: Moment, denoised: torch.Tensor) -> torch.Tensor:
        return denoised

    def observe(self, moment: Moment, denoised: torch.Tensor) -> None:
        self._observer.observe(moment.latent, denoised, moment.sigma, moment.whole)

    def forget(self) -> None:
        self._replanner = None

    def finish(self) -> str:
        return self._observer.finish() if self._observer is not None else ""

    @property
    def _kept(self) -> Kept | None:
        """What is kept of the outputs."""
        return None

    def _follow(self, plan: Plan) -> None:
        """Another plan is followed from now on."""
