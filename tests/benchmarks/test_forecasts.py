"""What the forecasts of the rivals' papers promise, on features whose course is known."""

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.engine.cache import Stored
from blockdance.blockdance_core.engine.gate import Sight
from blockdance.lab.benchmarks.rivals.dicache import DiCache, step
from blockdance.lab.benchmarks.rivals.fora import FORA
from blockdance.lab.benchmarks.rivals.hicache import HiCache, scaled_hermite
from blockdance.lab.benchmarks.rivals.rival import Moment, combine
from blockdance.lab.benchmarks.rivals.spectrum import Spectrum
from blockdance.lab.benchmarks.rivals.taylorseer import TaylorSeer

COUNT = 50
NOWHERE = Sight((), (), None, None)


def feature(value: float) -> Stored:
    return Stored({0: (torch.full((1, 2, 3), value, dtype=torch.float64),)}, (None,), {0: (None,)})


def follow(rival, course, count: int = COUNT) -> dict[int, tuple[float, float]]:
    """Forecast and truth at each evaluation that the rival does not compute."""
    stream, forecasts = rival.begin(), {}
    for number in range(count):
        moment = Moment(number, count)
        weights = stream.weights(moment, NOWHERE)
        if weights is None:
            stream.computed(moment, NOWHERE, feature(course(number)))
        else:
            forecast = combine(stream.anchors, weights).hidden[0][0]
            forecasts[number] = float(forecast.mean()), course(number)
    return forecasts


@pytest.mark.parametrize("rival", [
    FORA(3), TaylorSeer(4, 1), TaylorSeer(4, 2), HiCache(4, 1), Spectrum(ridge=0., degree=3)], ids=repr)
def test_a_constant_feature_is_reproduced(rival):
    if isinstance(rival, HiCache):  # its second order has a constant part, but a constant has no differences
        rival = HiCache(4, 2)
    forecasts = follow(rival, lambda number: 7.)
    assert forecasts and all(forecast == pytest.approx(7., abs=1e-9) for forecast, _ in forecasts.values())


@pytest.mark.parametrize("rival", [
    TaylorSeer(5, 1), TaylorSeer(5, 2), Spectrum(blend=0.), Spectrum(ridge=0., degree=3)], ids=repr)
def test_a_line_is_forecast_exactly(rival):
    forecasts = follow(rival, lambda number: 2. - 3 * number)
    assert len(forecasts) > 20
    assert all(forecast == pytest.approx(truth, abs=1e-6) for forecast, truth in forecasts.values())


def test_the_second_order_of_taylorseer_misses_a_parabola_by_what_backward_differences_miss():
    """Newton's form has k (k + N) / 2 where the Taylor series has k^2 / 2, with the second difference 2."""
    N = 5
    forecasts = follow(TaylorSeer(N, 2, first=1), lambda number: float(number) ** 2)
    late = {number: pair for number, pair in forecasts.items() if number > 3 * N}  # three anchors at equal distances
    assert late
    for number, (forecast, truth) in late.items():
        k = number % N
        assert truth - forecast == pytest.approx(k * (k + N) - k ** 2)
    first_order = follow(TaylorSeer(N, 1, first=1), lambda number: float(number) ** 2)
    assert all(abs(forecasts[n][0] - forecasts[n][1]) < abs(first_order[n][0] - first_order[n][1]) for n in late)


def test_hicache_goes_half_as_far_along_a_line():
    forecasts = follow(HiCache(4, 1, first=1), lambda number: 3. * number)
    assert all(forecast == pytest.approx(3 * (number - number % 4) + 1.5 * (number % 4))
               for number, (forecast, _) in forecasts.items() if number > 4)  # before, there is one anchor and no slope


def test_scaled_hermite_polynomials():
    """H_2(x) = 4 x^2 - 2, H_3(x) = 8 x^3 - 12 x."""
    assert scaled_hermite(3, 2, .5) == pytest.approx(.25 * (4 * 1.5 ** 2 - 2))
    assert scaled_hermite(3, 3, .5) == pytest.approx(.125 * (8 * 1.5 ** 3 - 12 * 1.5))


def test_spectrum_without_a_ridge_reproduces_polynomials_of_its_degree():
    def course(number: int) -> float:
        return float(np.polynomial.chebyshev.chebval(2 * number / COUNT - 1, [1, -2, .5, 3, -1]))
    forecasts = follow(Spectrum(ridge=0., blend=1.), course)
    assert len(forecasts) > 30
    assert all(forecast == pytest.approx(truth, abs=1e-6) for forecast, truth in forecasts.values())


@pytest.mark.parametrize("growth, computed", [(.75, 14), (3., 10)])
def test_spectrum_computes_as_many_evaluations_as_published(growth, computed):
    assert COUNT - len(follow(Spectrum(growth), lambda number: 1.)) == computed


@pytest.mark.parametrize("N", [1, 2, 3])
def test_fora_computes_one_evaluation_of_every_N(N):
    assert set(range(12)) - set(follow(FORA(N), lambda number: 1., 12)) == set(range(0, 12, N))


def test_dicache_steps_along_the_trajectory_within_its_bounds():
    before, last = torch.zeros(1, 4, 2), torch.ones(1, 4, 2)
    assert step(1.25 * last, last, before) == pytest.approx(1.25)
    assert step(.3 * last, last, before) == 1.
    assert step(9 * last, last, before) == 1.5


def test_dicache_follows_a_feature_that_moves_with_its_probe():
    """The change is four times the probe's, so the way along the trajectory is known exactly."""
    stream = DiCache(1e9, retained=.5).begin()
    forecasts = []
    for number in range(4):
        probe = torch.full((1, 2, 3), 1. + number * .8 ** max(0, number - 1), dtype=torch.float64)
        sight = Sight((torch.ones_like(probe),), (1 + probe,), None, None)
        weights = stream.weights(Moment(number, 4), sight)
        if weights is None:
            stream.computed(Moment(number, 4), sight, feature(4 * float(probe.mean())))
        else:
            forecasts.append((float(combine(stream.anchors, weights).hidden[0][0].mean()), 4 * float(probe.mean())))
    # at 1, then 2, the probe goes to 1 + 2 * .8 = 2.6, 1.6 times the way: more than DiCache lets it
    assert forecasts[0] == pytest.approx((4 * 2.5, 4 * 2.6))
