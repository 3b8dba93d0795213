"""Arms whose plan is made before the run, from runs of calibration captions; evaluations count equal for all."""

from dataclasses import replace
from typing import Callable, Sequence

from comfy.model_patcher import ModelPatcher

from ...blockdance_core.auto.kernel import Kernel
from ...blockdance_core.auto.method import AutoMethod, measured_as
from ...blockdance_core.auto.planner import count_of
from ...blockdance_core.auto.weights import PlannedWeights
from ...blockdance_core.comfy.attach import attach
from ...blockdance_core.comfy.models.architectures import ANY_MODEL
from ...blockdance_core.plan.plan import Plan, Transformer
from ...blockdance_core.plan.schedule import Quantity
from .arm import Arm, Calibration
from .measured import RECORDED_ON, counted, full_latents, kernel, measured_in, trajectories
from .rivals.bns import ROUNDS, Solve, Solver, mean_decibels, trained
from .rivals.budcache import ANNEALING, CLIMBS, BudCache
from .rivals.gits import FINE, LATER, gits
from .rivals.l2p import interval, l2p
from .rivals.meancache import meancache
from .rivals.solver import on_grid, solved
from .rivals.static import Recipe, attach_static, repeat
from .rivals.trajectory import Trajectory, gram_of
from .subject import Drawing

Cook = Callable[[Calibration, int], Recipe]  # for so many computed evaluations


def planned(method: str, speedup: float, cook: Cook) -> Arm:
    """A static cache. cook: makes its recipe of what it learns."""
    def patch(model: ModelPatcher, calibration: Calibration) -> ModelPatcher:
        name, count = f"{method} {speedup:g}x", count_of(calibration.setting.steps, speedup)
        recipe = calibration.keep(name, lambda calibration: cook(calibration, count), Recipe.dump, Recipe.parse)
        return attach_static(model, name, recipe)
    return Arm(method, f"{speedup:g}x", patch)


def recorded(of: Callable[[Sequence[Trajectory], int], Recipe], steady: bool = False) -> Cook:
    """By a function of full runs and of the number of computed evaluations. steady: as of trajectories."""
    return lambda calibration, count: of(trajectories(calibration, steady=steady), count)


def on_interval(runs: Sequence[Trajectory], count: int) -> Recipe:
    """L2P as published."""
    return l2p(gram_of(runs), interval(runs[0].schedule.steps, count))


def on_auto_plan(calibration: Calibration, count: int) -> Recipe:
    """L2P's weights for the evaluations that Auto computes."""
    runs = trajectories(calibration)
    plan = auto_plan(runs[0], calibration.setting.steps / count, kernel(calibration))
    return l2p(gram_of(runs), [step for step in range(plan.steps) if step not in plan.reused_steps])


def auto_plan(run: Trajectory, speedup: float, known: tuple[Quantity, Kernel]) -> Plan:
    """Auto's for the schedule of this run."""
    method = AutoMethod(speedup, measured_as(*known))
    return method.plan(run.schedule, Transformer("any", (1,)))


def auto_recipe(run: Trajectory, plan: Plan) -> Recipe:
    """The weights that Auto has for its plan, those with which computed outputs make up for others included."""
    planned = PlannedWeights(plan.extrapolation, run.schedule.times)
    return Recipe(tuple(planned.next(step not in plan.reused_steps) for step in range(plan.steps)))


def searched(annealing: int = ANNEALING, climbs: int = CLIMBS) -> Cook:
    """BudCache, by real runs of calibration captions."""
    def cook(calibration: Calibration, count: int) -> Recipe:
        same, model = counted(calibration), calibration.subject.patcher
        full = full_latents(same)
        steps = calibration.setting.steps

        def loss(computed: tuple[int, ...]) -> float:
            drawn = same.draw(attach_static(model, "BudCache", repeat(steps, computed)))
            return sum(float((some.latents - wanted).square().mean()) for some, wanted in zip(drawn, full))
        return repeat(steps, BudCache(steps, count, loss).search(annealing, climbs))
    return cook


def ceiling_of_weights(method: str, speedup: float, known: Callable[[Calibration], tuple[Quantity, Kernel]] = kernel,
                       rounds: int = ROUNDS) -> Arm:
    """BNS, from the best that there is without training on calibration captions: L2P, MeanCache, or Auto's plan by
    what is `known` of the model."""
    def train(calibration: Calibration) -> Solver:
        runs, model = trajectories(calibration), calibration.subject.patcher
        again, wanted = replace(counted(calibration), captions=RECORDED_ON), [run.latents[-1] for run in runs]
        times, count = runs[0].times, count_of(calibration.setting.steps, speedup)
        model.model.requires_grad_(False)  # only the solver is trained
        plan = auto_plan(runs[0], speedup, known(calibration))
        begun = [Solver.of(recipe, times) for recipe in (
            auto_recipe(runs[0], plan), on_interval(runs, count), meancache(runs, count))]

        def solve(solver: Solve) -> None:
            again.draw(solved(model, solver))

        def loss(solver: Solver) -> float:
            drawn = again.draw(solved(model, solver))
            return mean_decibels(some.latents.flatten() - full for some, full in zip(drawn, wanted))
        return trained(min(begun, key=loss), gram_of(runs), solve, wanted, rounds)[0]

    def patch(model: ModelPatcher, calibration: Calibration) -> ModelPatcher:
        return solved(model, calibration.keep(f"{method} {speedup:g}x", train, Solver.dump, Solver.parse))
    return Arm(method, f"{speedup:g}x", patch)


def ceiling_of_measurements(method: str, speedup: float) -> Arm:
    """Auto, measured on the very picture that it then draws."""
    def inform(model: ModelPatcher, draw: Callable[[ModelPatcher], Drawing]) -> ModelPatcher:
        known, (measurement,) = measured_in(model, draw)
        settings = AutoMethod(speedup, measured_as(known, measurement))
        return attach(model, settings, family=ANY_MODEL)
    return Arm(method, f"{speedup:g}x", inform=inform)


def on_best_grid(method: str, speedup: float, published: bool) -> Arm:
    """Fewer steps of Euler on the sigmas that GITS finds, as published or for being near the full run."""
    def patch(model: ModelPatcher, calibration: Calibration) -> ModelPatcher:
        count = count_of(calibration.setting.steps, speedup)
        runs, later = (trajectories(calibration, FINE), LATER) if published else (trajectories(calibration), 1.)
        return on_grid(model, gits(runs, count, later))
    return Arm(method, f"{speedup:g}x", patch, sampler="euler")
