"""Weights, drift and the search for plans, against their formulas written out with whole vectors, one run at a time."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockdance.blockdance_core.auto.constants import LATE_RESPONSE, RESPONSE, RESPONSE_UNCERTAINTY
from blockdance.blockdance_core.auto.error_propagation import ErrorPropagation
from blockdance.blockdance_core.auto.latent_error import NO_ANCHOR, LatentError, Rules, best_weights
from blockdance.blockdance_core.auto.planner import search, weight
from blockdance.blockdance_core.auto.weights import Course, KernelExtrapolation
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.tests.core.auto.imagined_model import curve, even, kernel

cases = st.tuples(st.integers(0, 10 ** 6), st.sampled_from(Quantity), st.sampled_from([0., .5, 1.]), st.integers(1, 5))


class Direct:
    """A run whose error is kept as a vector of coefficients of all outputs, with every product taken anew."""

    def __init__(self, gram: np.ndarray, times: np.ndarray, rules: Rules, quantity: Quantity):
        self.gram, self.times, self.rules, self.quantity = gram, times, rules, quantity
        self.error, self.computed, self.size, self.score = np.zeros(len(gram)), [], 0., 0.
        self.answered = np.zeros(len(gram))  # the error where the model answers to it
        self.given: dict[int, tuple[np.ndarray, float]] = {}  # what the model then gave, and its doubt

    def next(self, now: int, computed: bool) -> dict[int, float]:
        if self.rules.answering:
            return self._next_answering(now, computed)
        start, end = self.times[now:now + 2]
        flow = self.quantity is Quantity.VELOCITY
        reach = end - start if flow else 1 - end / start
        wanted = -self.rules.making_up * self.error / reach
        wanted[now] += 1
        used = [now] * computed + self.computed[:self.rules.anchors]
        self.computed = [now] * computed + self.computed
        units = np.eye(len(self.gram))
        apart = units[used[1:]] - units[used[0]]
        left = apart @ self.gram @ apart.T
        left += np.eye(len(left)) * (self.rules.ridge * np.trace(left) / max(1, len(left)) + 1e-12)
        found = np.linalg.solve(left, apart @ self.gram @ (wanted - units[used[0]]))
        weights = np.array([1 - found.sum(), *found])
        wrong = weights @ units[used] - units[now]
        self.error = (end / start) ** (self.rules.response if flow else 1) * self.error + reach * wrong
        self._answer(now, computed, dict(zip(used, weights)))
        return dict(zip(used, weights))

    def _next_answering(self, now: int, computed: bool) -> dict[int, float]:
        """The same with what the model gives, and a variance for each doubt."""
        start, end = self.times[now:now + 2]
        output, strength = np.eye(len(self.gram))[now], RESPONSE + LATE_RESPONSE / start
        flow = self.quantity is Quantity.VELOCITY
        reach = end - start if flow else 1 - end / start
        used = [now] * computed + self.computed[:self.rules.anchors]
        self.computed = [now] * computed + self.computed
        own = (output + (strength if flow else 1 - start * strength) * self.answered,
               (RESPONSE_UNCERTAINTY * strength * (1 if flow else start)) ** 2 * self.size)
        given = np.array([(own if a == now else self.given[a])[0] for a in used])
        doubts = np.array([(own if a == now else self.given[a])[1] for a in used])
        among = given @ self.gram @ given.T + np.diag(doubts)
        wanted = given @ self.gram @ (output - self.answered / reach)
        apart = np.eye(len(used))[1:] - np.eye(len(used))[0]
        left = apart @ among @ apart.T
        left += np.eye(len(left)) * (self.rules.ridge * np.trace(left) / max(1, len(left)) + 1e-12)
        found = np.linalg.solve(left, apart @ (wanted - among[0]))
        weights = dict(zip(used, np.array([1 - found.sum(), *found])))
        self._answer(now, computed, weights)
        return weights

    def _answer(self, now: int, computed: bool, weights: dict[int, float]) -> None:
        start, end = self.times[now:now + 2]
        output, strength = np.eye(len(self.gram))[now], RESPONSE + LATE_RESPONSE / start
        if self.quantity is Quantity.VELOCITY:
            left, reach, answer, doubt = 1, end - start, strength, RESPONSE_UNCERTAINTY * strength
        else:
            left, reach, answer = end / start, 1 - end / start, 1 - start * strength
            doubt = RESPONSE_UNCERTAINTY * start * strength
        if computed:
            self.given[now] = output + answer * self.answered, doubt ** 2 * self.size
        given = sum(w * self.given[a][0] for a, w in weights.items())
        self.answered = left * self.answered + reach * (given - output)
        unknown = sum(w ** 2 * self.given[a][1] for a, w in weights.items())
        self.size = self.answered @ self.gram @ self.answered + reach ** 2 * unknown
        self.score += self.size * weight(self.times, now)


def task(case: tuple, steps: int) -> tuple[np.ndarray, np.ndarray, Rules, Quantity]:
    """Products of random outputs at random times, as smooth or rough as chance has it."""
    seed, quantity, making_up, anchors = case
    rng = np.random.default_rng(seed)
    times = np.append(np.cumsum(rng.uniform(.2, 1., steps))[::-1] / steps, 0.)
    outputs = curve(times[:-1], 60, 10 ** rng.uniform(-4, 0)).numpy() @ rng.normal(size=(60, 40))
    gram = outputs @ outputs.T
    return gram / np.trace(gram) * steps, times, Rules(anchors, making_up=making_up), quantity


@settings(deadline=None)
@given(cases, st.integers(1, 2 ** 11 - 1))
def test_weights_that_know_of_the_answer(case, pattern):
    gram, times, rules, quantity = task(case, 12)
    rules = replace(rules, answering=True)
    direct, drift = Direct(gram, times, rules, quantity), LatentError(gram, times, rules, quantity)
    answer = ErrorPropagation(gram, times, quantity, drift.error[0], drift.anchors[:, 0])
    for now in range(12):
        compute = now == 0 or bool(pattern >> now & 1)
        used = [now, *drift.anchors[:, 0]]
        weights = answer.weights((compute,), drift.anchors, rules.ridge)
        drift.follow(drift.step((compute,)), np.zeros(1, int))
        outcome = answer.step(weights, (compute,))
        answer.follow(outcome, np.zeros(1, int))
        expected = direct.next(now, compute)
        tolerance = 1e-6 * max(1., *map(abs, expected.values()), 0.)
        assert {a: w for a, w in zip(used, weights[:, 0]) if a in expected} == pytest.approx(expected, abs=tolerance)
        assert not any(w for a, w in zip(used, weights[:, 0]) if a not in expected)
        assert outcome.size[0] == pytest.approx(direct.size, rel=1e-5, abs=1e-12)
        assert answer.error[0] == pytest.approx(direct.answered[:now + 1], abs=.1 * tolerance)


def score_of(computed: tuple[int, ...], *task) -> float:
    run = Direct(*task)
    for now in range(len(task[0])):
        run.next(now, now in computed)
    return run.score


@settings(deadline=None)
@given(cases, st.integers(1, 2 ** 11 - 1))
def test_the_weights_of_a_course_and_its_error(case, pattern):
    """Also where it begins anew in between, as after a correction."""
    gram, times, rules, quantity = task(case, 12)
    direct, drift, computed = Direct(gram, times, rules, quantity), LatentError(gram, times, rules, quantity), []
    answer = ErrorPropagation(gram, times, quantity, drift.error[0], drift.anchors[:, 0])
    for now in range(12):
        compute = now == 0 or bool(pattern >> now & 1)
        if now == 6:
            drift = LatentError(gram, times, rules, quantity, drift.error[0], computed)
        used = [now, *drift.anchors[:, 0]]
        step = drift.step((compute,))
        computed += [now] * compute
        expected = direct.next(now, compute)
        found = {anchor: w for anchor, w in zip(used, step.weights[:, 0]) if anchor != NO_ANCHOR and w}
        drift.follow(step, np.zeros(1, int))
        outcome = answer.step(step.weights, (compute,))
        answer.follow(outcome, np.zeros(1, int))
        assert outcome.size[0] == pytest.approx(direct.size, rel=1e-5, abs=1e-12)
        assert found == pytest.approx({anchor: w for anchor, w in expected.items() if anchor in found}, abs=1e-6)
        assert all(abs(w) < 1e-6 for anchor, w in expected.items() if anchor not in found)
        assert drift.error[0] == pytest.approx(direct.error[:now + 1], abs=1e-7)


@settings(deadline=None, max_examples=20)
@given(cases, st.booleans())
def test_the_search_finds_the_best_choice_of_all(case, answering):
    """With a beam that drops none."""
    gram, times, rules, quantity = task(case, 7)
    given = gram, times, replace(rules, answering=answering), quantity
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


def test_the_error_is_the_real_one():
    """The latent of a reused run, integrated with real vectors, against what the kernel alone says."""
    times = np.append(even(12), 0.)
    outputs = curve(even(12)).numpy()
    outputs /= np.sqrt((outputs ** 2).sum(1).mean())
    drift, error = LatentError(outputs @ outputs.T, times, Rules(response=0.)), np.zeros(outputs.shape[1])
    for now in range(12):
        used = [now, *drift.anchors[:, 0]]
        step = drift.step((now in (0, 1, 2, 5, 8, 11),))
        given = sum(w * outputs[a] for w, a in zip(step.weights[:, 0], used) if a != NO_ANCHOR)
        error += (times[now + 1] - times[now]) * (given - outputs[now])
        drift.follow(step, np.zeros(1, int))
        assert drift.error[0] @ outputs[:now + 1] == pytest.approx(error, abs=1e-7)
        anchors = drift.anchors[drift.anchors != NO_ANCHOR]
        assert drift.overlap[:len(anchors), 0] == pytest.approx(outputs[anchors] @ error, abs=1e-7)


@pytest.mark.parametrize("quantity", Quantity)
def test_the_answer_is_that_of_a_model_that_answers(quantity, monkeypatch):
    """The latent, integrated with real vectors of a model that is drawn to its own course, against what the kernel of
    a full run says of it."""
    monkeypatch.setattr("blockdance.blockdance_core.auto.error_propagation.RESPONSE_UNCERTAINTY", 0.)
    times = np.append(even(12), 0.)
    outputs = curve(even(12)).numpy()
    outputs /= np.sqrt((outputs ** 2).sum(1).mean())
    drift = LatentError(outputs @ outputs.T, times, Rules(), quantity)
    answer = ErrorPropagation(outputs @ outputs.T, times, quantity, drift.error[0], drift.anchors[:, 0])
    flow, error, given = quantity is Quantity.VELOCITY, np.zeros(outputs.shape[1]), {}
    for now, (start, end) in enumerate(zip(times, times[1:])):
        computed, used = now in (0, 1, 2, 5, 8, 11), [now, *drift.anchors[:, 0]]
        if computed:
            strength = RESPONSE + LATE_RESPONSE / start
            given[now] = outputs[now] + (strength if flow else 1 - start * strength) * error
        step = drift.step((computed,))
        value = sum(w * given[a] for a, w in zip(used, step.weights[:, 0]) if w)
        if flow:
            error = error + (end - start) * (value - outputs[now])
        else:
            error = end / start * error + (1 - end / start) * (value - outputs[now])
        outcome = answer.step(step.weights, (computed,))
        answer.follow(outcome, np.zeros(1, int))
        drift.follow(step, np.zeros(1, int))
        assert outcome.size[0] == pytest.approx(error @ error, abs=1e-9)


def test_doubts_make_less_be_expected(monkeypatch):
    gram, times = kernel(30, roughness=.01).gram, np.append(even(30), 0.)
    expected = np.mean([found.quality for found in search(gram, times)[7:15]])
    monkeypatch.setattr("blockdance.blockdance_core.auto.error_propagation.RESPONSE_UNCERTAINTY", 0.)
    assert expected < np.mean([found.quality for found in search(gram, times)[7:15]]) - .3


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


def test_a_course_expects_of_an_output_what_its_forecaster_does():
    extrapolation = KernelExtrapolation(kernel(), bends=(.5,))
    course = Course(extrapolation, np.append(even(20), 0.))
    for now in range(9):
        course.next(now in (0, 1, 4, 7))
    weights, error = course.foresee([7, 4, 1])
    expected_weights, expected_error = extrapolation.foresee([even(20)[a] for a in (7, 4, 1)], even(20)[9])
    assert weights == pytest.approx(expected_weights, abs=1e-6) and error == pytest.approx(expected_error, rel=1e-4)
