"""Weights, the latent's error and plans, against their formulas written out with whole vectors, one run at a time."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockdance.blockdance_core.auto.constants import FINISH, LATE_RESPONSE, RESPONSE, RESPONSE_UNCERTAINTY
from blockdance.blockdance_core.auto.latent_error import NO_ANCHOR, LatentError, Rules, best_weights
from blockdance.blockdance_core.auto.planner import search, weight
from blockdance.blockdance_core.auto.weights import KernelExtrapolation, PlannedWeights
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.tests.core.auto.imagined_model import curve, even, kernel

cases = st.tuples(st.integers(0, 10 ** 6), st.sampled_from(Quantity), st.sampled_from([0., .5, 1.]), st.integers(1, 5))


class Direct:
    """A run whose error is kept as a vector of coefficients of all outputs, with every product taken anew."""

    def __init__(self, gram: np.ndarray, times: np.ndarray, rules: Rules, quantity: Quantity):
        self.gram, self.times, self.rules, self.quantity = gram, times, rules, quantity
        self.error, self.computed, self.size, self.score = np.zeros(len(gram)), [], 0., 0.
        self.given: dict[int, tuple[np.ndarray, float]] = {}  # what the model gave, and its unknown part's square

    def next(self, now: int, computed: bool) -> dict[int, float]:
        start, end = self.times[now:now + 2]
        output, response = np.eye(len(self.gram))[now], RESPONSE + LATE_RESPONSE / start
        if self.quantity is Quantity.VELOCITY:
            kept, moved, response, unknown = 1, end - start, response, RESPONSE_UNCERTAINTY * response
        else:
            kept, moved, response = end / start, 1 - end / start, 1 - start * response
            unknown = RESPONSE_UNCERTAINTY * (1 - response)
        used = [now] * computed + self.computed[:self.rules.anchors]
        self.computed = [now] * computed + self.computed
        if computed:
            self.given[now] = output + response * self.error, unknown ** 2 * self.size
        given, unknowns = (np.array(part) for part in zip(*(self.given[a] for a in used)))
        among = given @ self.gram @ given.T + np.diag(unknowns)
        wanted = given @ self.gram @ (output - self.rules.making_up / moved * self.error)
        apart = np.eye(len(used))[1:] - np.eye(len(used))[0]
        left = apart @ among @ apart.T
        left += np.eye(len(left)) * (self.rules.ridge * np.trace(left) / max(1, len(left)) + 1e-12)
        found = np.linalg.solve(left, apart @ (wanted - among[0]))
        weights = np.array([1 - found.sum(), *found])
        self.error = kept * self.error + moved * (weights @ given - output)
        self.size = self.error @ self.gram @ self.error + moved ** 2 * (weights ** 2 @ unknowns)
        self.score += self.size * weight(self.times, now, self.rules.growth)
        return dict(zip(used, weights))


def task(case: tuple, steps: int) -> tuple[np.ndarray, np.ndarray, Rules, Quantity]:
    """Products of random outputs at random times, as smooth or rough as chance has it."""
    seed, quantity, making_up, anchors = case
    rng = np.random.default_rng(seed)
    times = np.append(np.cumsum(rng.uniform(.2, 1., steps))[::-1] / steps, 0.)
    outputs = curve(times[:-1], 60, 10 ** rng.uniform(-4, 0)).numpy() @ rng.normal(size=(60, 40))
    gram = outputs @ outputs.T
    return gram / np.trace(gram) * steps, times, Rules(anchors, making_up=making_up), quantity


def score_of(computed: tuple[int, ...], *task) -> float:
    run = Direct(*task)
    for now in range(len(task[0])):
        run.next(now, now in computed)
    return run.score


@settings(deadline=None)
@given(cases, st.integers(1, 2 ** 11 - 1))
def test_the_weights_and_the_error_of_a_run(case, pattern):
    gram, times, rules, quantity = task(case, 12)
    direct, latent = Direct(gram, times, rules, quantity), LatentError(gram, times, rules, quantity)
    for now in range(12):
        compute = now == 0 or bool(pattern >> now & 1)
        used, step = [now, *latent.anchors[:, 0]], latent.step((compute,))
        latent.follow(step, np.zeros(1, int))
        expected, found = direct.next(now, compute), step.weights[:, 0]
        tolerance = 1e-6 * max(1., *map(abs, expected.values()), 0.)
        assert {a: w for a, w in zip(used, found) if a in expected} == pytest.approx(expected, abs=tolerance)
        assert not any(w for a, w in zip(used, found) if a not in expected)
        assert step.size[0] == pytest.approx(direct.size, rel=1e-5, abs=1e-12)
        assert latent.error[0] == pytest.approx(direct.error[:now + 1], abs=.1 * tolerance)


def test_a_run_that_is_begun_goes_on_from_its_error():
    """Its anchors then count as the model gave them without that error, which is known of them no more."""
    found = kernel(12)
    begun = LatentError(found.gram, np.append(even(12), 0.), Rules(), error=np.full(5, .01), computed=(0, 2, 3))
    assert begun.now == 5 and begun.error[0].tolist() == [.01] * 5
    assert begun.anchors[:, 0].tolist() == [3, 2, 0, NO_ANCHOR]
    begun.follow(begun.step((True,)), np.zeros(1, int))
    assert begun.anchors[:, 0].tolist() == [5, 3, 2, 0] and begun.error.shape == (1, 6)


@settings(deadline=None, max_examples=20)
@given(cases)
def test_the_search_finds_the_best_choice_of_all(case):
    """With a beam that drops none."""
    given = task(case, 7)
    for count, candidate in enumerate(search(*given, beam=64), 1):
        least = min(score_of((0, *others), *given) for others in combinations(range(1, 7), count - 1))
        assert len(candidate.computed) == count
        assert score_of(candidate.computed, *given) == pytest.approx(least, rel=1e-5, abs=1e-13)
        assert search(*given, only=candidate.computed)[0].quality == pytest.approx(candidate.quality)
        assert 10 ** (-candidate.quality / 10) == pytest.approx(least, rel=1e-5, abs=1e-13)


@settings(deadline=None, max_examples=20)
@given(cases, st.integers(1, 20), st.integers(0, 19))
def test_a_search_for_some_numbers_finds_what_that_for_all_does(case, fewest, more):
    given = task(case, 20)
    most = min(20, fewest + more)
    some, alike = search(*given, fewest=fewest, most=most), search(*given)[fewest - 1:most]
    assert [candidate.computed for candidate in some] == [candidate.computed for candidate in alike]
    assert [candidate.quality for candidate in some] == pytest.approx([candidate.quality for candidate in alike])


@settings(deadline=None)
@given(st.integers(0, 10 ** 6))
def test_least_squares_that_sum_to_one(seed):
    rng = np.random.default_rng(seed)
    outputs, target = rng.normal(size=(3, 40)), rng.normal(size=40)
    weights = best_weights((outputs @ outputs.T)[..., None], (outputs @ target)[:, None], ridge=0.)[:, 0]
    assert weights.sum() == pytest.approx(1)
    found = np.linalg.lstsq((outputs[1:] - outputs[0]).T, target - outputs[0], rcond=None)[0]
    assert weights[1:] == pytest.approx(found, abs=1e-6)


def test_never_worse_than_repetition_on_what_was_measured():
    gram = kernel(roughness=.05).gram
    for now in range(2, 20):
        for width in range(1, min(4, now - 1) + 1):
            anchors = np.arange(now - 2, now - 2 - width, -1)
            weights = best_weights(gram[np.ix_(anchors, anchors)][..., None], gram[anchors, now][:, None],
                                   Rules().ridge)[:, 0]
            wrong, known = np.append(weights, -1), [*anchors, now]
            repeated = gram[now, now] - 2 * gram[now, now - 2] + gram[now - 2, now - 2]
            assert wrong @ gram[np.ix_(known, known)] @ wrong <= repeated + 1e-9


def test_missing_anchors_get_no_weight():
    gram, anchors = kernel().gram, np.array([7, 5, NO_ANCHOR, NO_ANCHOR])
    among, wanted = gram[np.ix_(anchors, anchors)][..., None], gram[anchors, 9][:, None]
    padded = best_weights(among, wanted, 1e-5, anchors[:, None] == NO_ANCHOR)
    assert padded[:2] == pytest.approx(best_weights(among[:2, :2], wanted[:2], 1e-5))
    assert not padded[2:].any()


@pytest.mark.parametrize("quantity", Quantity)
def test_the_error_is_that_of_a_model_that_responds_to_it(quantity, monkeypatch):
    """The latent, integrated with real vectors of a model whose outputs change with its error, against what the kernel
    of a full run says of it."""
    monkeypatch.setattr("blockdance.blockdance_core.auto.latent_error.RESPONSE_UNCERTAINTY", 0.)
    times = np.append(even(12), 0.)
    outputs = curve(even(12)).numpy()
    outputs /= np.sqrt((outputs ** 2).sum(1).mean())
    latent = LatentError(outputs @ outputs.T, times, Rules(), quantity)
    flow, error, given = quantity is Quantity.VELOCITY, np.zeros(outputs.shape[1]), {}
    for now, (start, end) in enumerate(zip(times, times[1:])):
        computed, used = now in (0, 1, 2, 5, 8, 11), [now, *latent.anchors[:, 0]]
        if computed:
            response = RESPONSE + LATE_RESPONSE / start
            given[now] = outputs[now] + (response if flow else 1 - start * response) * error
        step = latent.step((computed,))
        value = sum(w * given[a] for a, w in zip(used, step.weights[:, 0]) if w)
        if flow:
            error = error + (end - start) * (value - outputs[now])
        else:
            error = end / start * error + (1 - end / start) * (value - outputs[now])
        latent.follow(step, np.zeros(1, int))
        assert step.size[0] == pytest.approx(error @ error, abs=1e-9)
        assert latent.error[0] @ outputs[:now + 1] == pytest.approx(error, abs=1e-7)


@pytest.mark.parametrize("growth", [0., .8, 3.])
def test_an_error_that_is_left_alone_grows_until_the_end(growth):
    """Of size 1 from one time on, it comes to FINISH e^(2 g t)."""
    times = np.append(even(20), 0.)
    for first in (0, 7, 19):
        left_alone = sum(weight(times, now, growth) for now in range(first, 20))
        assert left_alone == pytest.approx(FINISH * np.exp(2 * growth * times[first + 1]))


def test_where_errors_grow_more_the_first_evaluations_are_computed():
    gram, times = kernel(30, roughness=.003).gram, np.append(even(30), 0.)
    first = [sum(place < 10 for place in search(gram, times, Rules(growth=growth), fewest=12, most=12)[0].computed)
             for growth in (.3, 3.)]
    assert first[1] > first[0]


def test_what_is_unknown_makes_less_be_expected(monkeypatch):
    gram, times, rules = kernel(30, roughness=.01).gram, np.append(even(30), 0.), Rules(growth=1.)
    expected = np.mean([found.quality for found in search(gram, times, rules)[7:15]])
    monkeypatch.setattr("blockdance.blockdance_core.auto.latent_error.RESPONSE_UNCERTAINTY", 0.)
    assert expected < np.mean([found.quality for found in search(gram, times, rules)[7:15]]) - .1


def test_making_up_leaves_less_error_than_forecasting_each_output_by_itself():
    found, times = kernel(30), np.append(even(30), 0.)
    made_up, by_itself = (
        search(found.gram, times, Rules(making_up=share))[11].quality for share in (1., 0.))
    assert made_up > by_itself + 3


def test_better_than_any_fixed_interval():
    """An interval of 2 is one of the choices."""
    gram, times = kernel(roughness=.01).gram, np.append(even(20), 0.)
    every_other = score_of(tuple(range(0, 20, 2)), gram, times, Rules(), Quantity.VELOCITY)
    assert search(gram, times)[9].quality >= -10 * np.log10(every_other)


def test_a_plan_expects_of_an_output_what_its_extrapolation_does():
    extrapolation = KernelExtrapolation(kernel(), bends=(.5,))
    planned = PlannedWeights(extrapolation, np.append(even(20), 0.))
    for now in range(9):
        planned.next(now in (0, 1, 4, 7))
    weights, error = planned.expect([7, 4, 1])
    expected_weights, expected_error = extrapolation.expect([even(20)[a] for a in (7, 4, 1)], even(20)[9])
    assert weights == pytest.approx(expected_weights, abs=1e-6) and error == pytest.approx(expected_error, rel=1e-4)
