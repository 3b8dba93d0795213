"""What the papers of static caches promise, on runs whose course is known."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.plan.schedule import FlowTime, SamplerTraits, Schedule
from blockdance.lab.benchmarks.rivals.bns import Solver, trained
from blockdance.lab.benchmarks.rivals.budcache import BudCache
from blockdance.lab.benchmarks.rivals.dpcache import cost_tensor, dpcache, key_steps, taylor
from blockdance.lab.benchmarks.rivals.gits import best_grid, gits, step_costs
from blockdance.lab.benchmarks.rivals.l2p import interval, l2p
from blockdance.lab.benchmarks.rivals.meancache import SPANS, average_velocities, edge_costs, meancache, shortest_path
from blockdance.lab.benchmarks.rivals.static import Recipe, repeat
from blockdance.lab.benchmarks.rivals.trajectory import Trajectory, gram_of

STEPS = 12


def run(velocities: torch.Tensor, steps: int = STEPS) -> Trajectory:
    """A run by Euler with these velocities, (T, N), from a latent of zeros."""
    schedule = Schedule.even(steps)
    moves = torch.tensor(np.diff(schedule.times), dtype=velocities.dtype)[:, None] * velocities
    return Trajectory(schedule, velocities, torch.cat([torch.zeros_like(moves[:1]), moves.cumsum(0)]))


def smooth(seed: int, steps: int = STEPS, width: int = 200) -> Trajectory:
    """Waves of a few low frequencies, other ones for each seed."""
    generator = torch.Generator().manual_seed(seed)
    times = torch.tensor(Schedule.even(steps).times[:-1], dtype=torch.float64)[:, None]
    parts = [torch.randn(1, width, generator=generator, dtype=torch.float64) * torch.cos(rate * times + seed)
             for rate in (0, 1, 2, 4)]
    return run(sum(parts), steps)


def forecast(recipe: Recipe, outputs: torch.Tensor) -> torch.Tensor:
    return torch.stack([sum(weight * outputs[number] for number, weight in row.items()) for row in recipe.rows])


def wrong(recipe: Recipe, trajectory: Trajectory) -> float:
    return float((forecast(recipe, trajectory.velocities) - trajectory.velocities).square().mean())


def test_a_recipe_needs_what_was_computed_before():
    with pytest.raises(ValueError, match="first evaluation"):
        Recipe(({1: 1.}, {1: 1.}))
    with pytest.raises(ValueError, match="evaluation 1 is made of"):
        Recipe(({0: 1.}, {2: 1.}, {2: 1.}))
    assert repeat(4, (0, 3)).rows == ({0: 1.}, {0: 1.}, {0: 1.}, {3: 1.})


def test_the_interval_plan_computes_the_ends_and_one_of_every_N_between_them():
    assert interval(12, 6) == (0, 1, 2, 5, 8, 11)
    assert interval(12, 12) == tuple(range(12)) and interval(12, 3) == (0, 1, 2) and interval(12, 1) == (0,)
    assert all(len(set(interval(30, count))) == count for count in range(1, 31))


def test_l2p_is_exact_where_outputs_lie_in_the_span_of_computed_ones():
    """Four computed outputs span waves of four shapes, of whatever sizes: forecasts from the fourth on are exact."""
    shapes = torch.stack([torch.cos(rate * torch.arange(STEPS, dtype=torch.float64) / 8) for rate in range(4)], 1)
    learnt, other = (run(shapes @ torch.randn(4, 50, generator=torch.Generator().manual_seed(seed),
                                              dtype=torch.float64)) for seed in (0, 1))
    recipe = l2p(learnt.gram, (0, 1, 3, 4, 9), ridge=1e-13)
    found = forecast(recipe, other.velocities)
    torch.testing.assert_close(found[5:], other.velocities[5:], rtol=1e-3, atol=1e-3)


def test_l2p_has_the_least_error_of_all_weights_on_what_it_learnt():
    runs = [smooth(seed) for seed in range(3)]
    computed = (0, 1, 2, 5, 8, 11)
    learnt = l2p(gram_of(runs), computed, ridge=0)
    series = Recipe.of(STEPS, computed, {
        number: taylor([other for other in computed if other < number][:-4:-1], number)
        for number in range(STEPS) if number not in computed})
    for other in (series, repeat(STEPS, computed)):
        assert sum(wrong(learnt, run) for run in runs) < sum(wrong(other, run) for run in runs)


def test_weights_of_computed_outputs_alone_are_no_worse_than_those_that_count_forecasts_as_past():
    """The released matrix has a weight of every step before, with the forecast in place of what was not computed."""
    gram = np.cov(np.random.default_rng(0).normal(size=(8, 99)))
    computed, rows = (0, 2, 5), []
    for number in range(8):
        known = np.linalg.solve(gram[:number, :number], gram[:number, number]) if number not in computed else None
        rows.append(np.eye(8)[number] if known is None else known @ np.array(rows))
    direct = l2p(gram, computed, ridge=0)
    for number in (1, 3, 4, 6, 7):
        released, ours = rows[number].copy(), np.array([direct.rows[number].get(other, 0.) for other in range(8)])
        released[number] -= 1
        ours[number] -= 1
        assert ours @ gram @ ours <= released @ gram @ released + 1e-9


def test_meancache_knows_the_average_velocity_of_a_line():
    """After a span of as many steps as the edge has, the average velocity of a line is exact."""
    times = torch.tensor(Schedule.even(STEPS).times[:-1], dtype=torch.float64)[:, None]
    line = run(torch.ones(1, 5, dtype=torch.float64) + 3 * times * torch.arange(5))
    costs = edge_costs(line)
    for place, span in enumerate(SPANS):
        exact = [costs[place, begin, begin + span] for begin in range(span, STEPS - span)]
        assert np.allclose(exact, 0)
        assert span == 2 or all(costs[place, begin, begin + 2] > 1e-3 for begin in range(span, STEPS - 2))


def test_meancache_goes_on_by_the_jvp_of_its_span():
    """Two steps of .25 back, velocities 4 then 3, average 3.5: the next is 3 + .25 * (3.5 - 4) / .5."""
    recipe = average_velocities(np.array([1., .75, .5, .25, 0]), {0: 1, 1: 2, 3: 1})
    assert recipe.computed == (0, 1, 3)
    outputs = torch.tensor([[4.], [3.], [0.], [1.]])
    assert float(forecast(recipe, outputs)[2]) == pytest.approx(3 + .25 * (3.5 - 4) / .5)
    assert all(sum(row.values()) == pytest.approx(1) for row in recipe.rows)


@pytest.mark.parametrize("count", [2, 5, STEPS])
def test_a_closing_plan_of_meancache_computes_the_last_evaluation(count):
    computed = meancache([smooth(0)], count, closing=True).computed
    assert computed[-1] == STEPS - 1 and computed[0] == 0 and len(computed) == count


def test_with_a_sampler_that_adds_noise_pictures_are_continued_and_not_velocities():
    """The pictures of this run do not change; its velocities follow the noise."""
    steady = smooth(0)
    noise = torch.randn(STEPS + 1, 200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    times = torch.tensor(steady.schedule.times, dtype=torch.float64)[:, None]
    picture = torch.ones(1, 200, dtype=torch.float64)
    noisy = Trajectory(replace(steady.schedule, sampler=SamplerTraits(steady=False)), noise[:-1] - picture,
                       (1 - times) * picture + times * noise)
    torch.testing.assert_close(noisy.outputs, picture.expand(STEPS, -1))
    assert steady.outputs is steady.velocities
    recipe = l2p(noisy.gram, (0, 3), ridge=1e-9)
    torch.testing.assert_close(forecast(recipe, noisy.outputs), noisy.outputs, rtol=1e-4, atol=1e-4)


def test_recipes_and_solvers_are_kept_as_they_are():
    recipe = meancache([smooth(0)], 5)
    assert Recipe.parse(json.loads(json.dumps(recipe.dump()))) == recipe
    solver = Solver.of(recipe, smooth(0).times)
    again = Solver.parse(json.loads(json.dumps(solver.dump())))
    assert again.computed == solver.computed and torch.equal(again.moves, solver.moves)


def test_the_path_of_meancache_is_the_shortest_and_a_high_power_lowers_its_peak():
    costs = np.random.default_rng(3).uniform(size=(8, 9))

    def edges(path: tuple[int, ...], of: np.ndarray = costs) -> list[float]:
        return [of[begin, end] for begin, end in zip(path, (*path[1:], 8))]
    paths = [(0, *some) for some in combinations(range(1, 8), 3)]
    assert shortest_path(costs, 4) == min(paths, key=lambda path: sum(edges(path)))
    assert max(edges(shortest_path(costs ** 50, 4))) == pytest.approx(min(max(edges(path)) for path in paths))


def test_the_forecast_of_dpcache_is_exact_on_a_line_and_knows_the_key_step_before():
    outputs = torch.arange(STEPS, dtype=torch.float64)[:, None] * torch.tensor([1., -2.])
    costs = cost_tensor(outputs)
    assert np.allclose(costs[np.isfinite(costs)], 0)
    costs = cost_tensor(smooth(0).velocities)
    assert len({round(costs[before, 6, 10], 9) for before in (1, 2, 3, 4, 5)}) == 5
    assert (np.diff(costs[3, 6, 7:]) >= 0).all() and costs[3, 6, 7] == 0


def test_the_path_of_dpcache_is_the_cheapest():
    costs = np.random.default_rng(4).uniform(size=(9, 9, 9))

    def cost(path: tuple[int, ...]) -> float:
        return sum(costs[path[place - 2], path[place - 1], path[place]] for place in range(3, len(path)))
    for count in (4, 5, 6):
        paths = [(0, 1, 2, *some, 8) for some in combinations(range(3, 8), count - 4)]
        assert key_steps(costs, count) == min(paths, key=cost)
    with pytest.raises(ValueError, match="first 3"):
        key_steps(costs, 3)


@pytest.mark.parametrize("method", [meancache, dpcache])
@pytest.mark.parametrize("count", [4, 6, 9, STEPS])
def test_paths_keep_to_the_budget(method, count):
    recipe = method([smooth(0), smooth(1)], count)
    assert len(recipe.computed) == count and len(recipe.rows) == STEPS


def test_budcache_finds_the_best_plan_within_its_budget_and_tries_none_twice():
    tried = []

    def loss(plan: tuple[int, ...]) -> float:
        tried.append(plan)
        return sum(min(abs(number - other) for other in plan) ** 2 * (number + 1) for number in range(10))
    best = BudCache(10, 4, loss).search()
    assert loss(best) == min(loss((0, *some)) for some in combinations(range(1, 10), 3))
    searched = tried[:tried.index(best) + 1]
    assert len(set(searched)) == len(searched) and all(len(set(plan)) == 4 and plan[0] == 0 for plan in searched)


def test_budcache_keeps_the_first_quarter_of_its_budget_at_the_beginning():
    tried = []
    BudCache(20, 8, lambda plan: tried.append(plan) or sum(plan)).search(30, 2)
    assert len(tried) > 20 and all(plan[:2] == (0, 1) and len(plan) == 8 for plan in tried)


def test_the_grid_of_gits_is_the_cheapest():
    costs = np.triu(np.random.default_rng(5).uniform(size=(9, 9)), 1)
    costs[costs == 0] = np.inf

    def cost(grid: tuple[int, ...]) -> float:
        steps = list(zip(grid, grid[1:]))
        return sum(1.15 ** place * costs[step] for place, step in enumerate(steps))
    grids = [(0, *some, 8) for some in combinations(range(1, 8), 3)]
    assert best_grid(costs, 4) == min(grids, key=cost)
    assert best_grid(costs, 1) == (0, 8) and best_grid(costs, 8) == tuple(range(9))


def test_a_grid_of_the_runs_own_steps_is_the_run_itself():
    run = smooth(0)
    assert gits([run], STEPS, later=1.) == run.schedule.sigmas


def test_gits_spends_its_steps_where_the_run_bends():
    """Straight on but for the steps 3 to 6: none is needed before, and none behind."""
    bent = torch.tensor([0., 0, 0, 1, 2, 3, 4, 4, 4, 4, 4, 4], dtype=torch.float64)[:, None]
    bent = run(torch.cat([bent, torch.ones_like(bent)], 1))
    assert np.allclose(step_costs(bent)[6, 7:], 0)
    assert gits([bent], 5) == tuple(bent.schedule.sigmas[place] for place in (0, 3, 4, 5, 6, 12))


class Pendulum:
    """A model whose velocity turns the latent around: nothing that a few steps of Euler follow."""

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        velocity = 2 * torch.stack([x[:, 1], -x[:, 0]], 1) + sigma.view(-1, 1)
        return x - sigma.view(-1, 1) * velocity


def euler(model, x: torch.Tensor, sigmas: torch.Tensor) -> Trajectory:
    schedule, velocities, latents = Schedule(tuple(sigmas.tolist()), lambda percent: 1 - percent), [], [x.flatten()]
    for sigma, following in zip(sigmas, sigmas[1:]):
        velocity = (x - model(x, sigma.expand(len(x)))) / sigma
        x = x + (following - sigma) * velocity
        velocities.append(velocity.flatten())
        latents.append(x.flatten())
    return Trajectory(schedule, torch.stack(velocities), torch.stack(latents))


def test_bns_goes_the_way_of_a_recipe_and_training_brings_it_closer():
    """Where all is linear the right weights reach the end exactly."""
    model, sigmas = Pendulum(), torch.linspace(1, 0, STEPS + 1, dtype=torch.float64)
    noises = [torch.randn(1, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
              for seed in range(3)]
    runs = [euler(model, noise, sigmas) for noise in noises]
    begun = Solver.of(repeat(STEPS, (0, 4, 8)), runs[0].times)
    x = noises[0]
    for number in (0, 4, 8):  # plain reuse by hand
        x = x + (sigmas[number + 4] - sigmas[number]) * (x - model(x, sigmas[number:number + 1])) / sigmas[number]
    torch.testing.assert_close(begun(model, noises[0], sigmas, {}, FlowTime()), x)

    def solve(solver) -> list[torch.Tensor]:
        return [solver(model, noise, sigmas, {}, FlowTime()) for noise in noises]

    wanted, gram = [run.latents[-1] for run in runs], gram_of(runs)
    _, before = trained(begun, gram, solve, wanted, rounds=0)
    better, after = trained(begun, gram, solve, wanted, rounds=40)
    assert after < before - 30  # dB
    assert trained(better, gram, solve, wanted, rounds=0)[1] == pytest.approx(after)
