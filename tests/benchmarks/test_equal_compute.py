"""What is said of methods at the same compute."""

import math
from dataclasses import replace

import pytest

from blockdance.lab.benchmarks.equal_compute import heights, leads, mean_leads, speedup_at_paper
from blockdance.lab.benchmarks.quality import Quality
from blockdance.lab.benchmarks.record import Record
from blockdance.lab.benchmarks.row import Row, rows
from blockdance.lab.benchmarks.setting import BASE

RECORD = Record("tiny", BASE, 0, "full", "", 60., 5, 1., 1., 60., 10, 2., 2., ())


def curve(method: str, *points: tuple[str, float, float]) -> list[Row]:
    return rows(replace(RECORD, method=method, point=point, macs=macs, qualities=(Quality(psnr, 1., 0., 1, 1),))
                for point, macs, psnr in points)


FEWER = curve("fewer steps", ("a", 20., 30.), ("b", 40., 40.))
AUTO = curve("Auto", ("3x", 20., 50.), ("2x", 30., 60.), ("1.5x", 40., 80.))
BLOCKDANCE = curve("BlockDance", ("N=2", 45., 55.), ("N=4", 35., 45.))
CACHE = curve("TeaCache", ("0.01", 55., math.inf), ("0.1", 40., 55.), ("0.2", 30., 45.))
FORECAST = curve("TaylorSeer order 1", ("N=2", 30., 52.), ("N=4", 20., 49.))
SAMPLER = curve("fewer steps, dpmpp_2m", ("25%", 20., 33.))
TABLE = [*FEWER, *AUTO, *BLOCKDANCE, *CACHE, *FORECAST]


def test_a_method_is_read_between_its_points_and_not_below_them():
    assert heights(TABLE)["TeaCache"] == [55., 45., None, None]
    assert heights(TABLE)["fewer steps"] == [40., 35., pytest.approx(32.), 30.]


def test_a_cheaper_point_counts_where_it_is_higher():
    assert heights(FORECAST)["TaylorSeer order 1"] == [52., 52., pytest.approx(50.2), 49.]
    uneven = curve("Spectrum", ("3", 20., 41.), ("1", 40., 36.))
    assert heights(uneven)["Spectrum"] == [41.] * 4


def test_pictures_that_are_equal_to_the_full_run_cost_a_method_nothing():
    """One of two pictures is; the other has 55 dB."""
    both = rows(replace(RECORD, method="First Block Cache", macs=40., qualities=(
        Quality(math.inf, 1., 0., 1, 1), Quality(55., 1., 0., 1, 1))) for _ in range(2))
    assert heights(both)["First Block Cache"] == [55., None, None, None]
    assert "EasyCache" not in heights(curve("EasyCache", ("0.05", 60., math.inf)))


def test_auto_is_compared_with_the_best_rival_of_a_kind_that_reaches_as_far():
    found = leads([*TABLE, *SAMPLER])
    assert found["fewer steps"] == [40., 25., pytest.approx(22.), 20.]
    assert found["fewer steps of the best sampler"] == [40., 25., pytest.approx(21.), 17.]
    assert found["the best cache"] == [25., 15., None, None]  # not our own BlockDance
    assert found["the best forecast"] == [28., 8., pytest.approx(3.8), 1.]
    assert found["the best of these rivals"] == [25., 8., pytest.approx(3.8), 1.]


def test_the_mean_is_over_the_models_that_have_a_number():
    other = [*FEWER, *AUTO]
    assert mean_leads([TABLE, other, FEWER])["the best cache"] == [25., 15., None, None]
    assert mean_leads([TABLE, other])["fewer steps"] == leads(TABLE)["fewer steps"]
    assert mean_leads([]) == {}


def test_the_speed_up_at_the_quality_of_the_paper():
    assert speedup_at_paper(TABLE) == (pytest.approx(60 / 25), False)
    assert speedup_at_paper([*AUTO, *curve("BlockDance", ("N=2", 45., 48.))]) == (3., True)
    assert speedup_at_paper([*AUTO, *curve("BlockDance", ("N=2", 45., 81.))]) is None
    assert speedup_at_paper([*AUTO, *FEWER]) is None
