"""The first screen of the report, and the tables over models and ways of sampling below it."""

import json
from dataclasses import replace

import pytest

from blockdance.blockdance_core.auto import profile
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.lab.benchmarks import across, document, more_steps, promises, unmeasured
from blockdance.lab.benchmarks.quality import Quality
from blockdance.lab.benchmarks.record import Record
from blockdance.lab.benchmarks.setting import PICTURES
from blockdance.lab.benchmarks.table import tables

MODELS = "one_pictures", "two_pictures"
LEVELS = {("fewer steps", "60%"): 24., ("fewer steps", "50%"): 22., ("fewer steps", "33%"): 18.,
          ("fewer steps", "25%"): 16.,
          ("Auto", "2x"): 40., ("Auto", "3x"): 25., ("Auto, profile of other models", "2x"): 36.,
          ("Auto, profile of other models", "3x"): 22., ("MeanCache", "2x"): 38., ("MeanCache", "3x"): 31.,
          ("L2P", "2x"): 33., ("ceiling: BNS", "2x"): 45.}
COST = {"60%": 60., "50%": 50., "33%": 33., "25%": 25., "2x": 50., "3x": 100 / 3}


def records(setting=PICTURES, lower=0., exact=False, models=MODELS):
    """Two captions 4 dB apart, each method `lower` than its level; Auto expects 45 dB."""
    return [Record(model, setting, number, method, point, COST[point], 5, 1., 1., 100., 10, 2., 2., (Quality(
        level - lower + apart, .9, .1, None, None, *((level - 5, 50.) if exact else ())),),
        45. if method == "Auto" else None)
        for model in models for number, apart in enumerate((-2., 2.)) for (method, point), level in LEVELS.items()]


def first_screen(folder, entries) -> list[str]:
    document.write(folder, tables(entries, [], []))
    return [line for line in (folder / "benchmarks.md").read_text().splitlines()[:20] if line.startswith("- ")]


def test_the_first_screen_says_where_a_rival_wins(tmp_path):
    said = first_screen(tmp_path, records())
    assert "40.0 dB" in said[0] and "25.0 dB of the full run at 3x" in said[0] and "22.0 and 18" in said[0]
    assert "MeanCache" in said[1] and "2.0 ahead" in said[1] and "wins" not in said[1]
    assert "At 3x MeanCache wins" in said[2] and "6.0 behind" in said[2]
    assert "36.0 and 22.0 dB" in said[3] and "2.0 behind the best rival and 9.0 behind" in said[3]
    assert (tmp_path / "benchmarks.png").exists() and "![Quality for compute](benchmarks.png)" in (
        tmp_path / "benchmarks.md").read_text()


def test_ceilings_win_nothing(tmp_path):
    assert not [line for line in first_screen(tmp_path, records()) if "BNS" in line]


def test_expectation_is_compared_with_every_picture():
    some = tables(records(models=MODELS[:1]), [], [])
    (first, *_), = [promises.promising(table) for table in some]
    promise = promises.Promise.of([first])
    assert (promise.pictures, promise.expected, promise.measured, promise.wrong) == (2, 45., 40., 5.)
    assert promise.worst == 7.
    text = promises.against_measured(some)
    assert "| one_pictures |" in text and "| +5.0 | +7.0 |" in text
    assert "12.5 dB off" in promises.line(some) and "at worst 22" in promises.line(some)
    silent = [replace(record, expected=None) for record in records()]
    assert promises.line(tables(silent, [], [])) == promises.against_measured(tables(silent, [], [])) == ""


def test_ways_of_sampling_and_numbers_are_compared_over_models():
    uni_pc, int8 = replace(PICTURES, sampler="uni_pc"), replace(PICTURES, precision="int8")
    some = tables([*records(), *records(uni_pc, 5.), *records(int8, 1.)], [], [])
    line = next(line for line in across.ways(some, PICTURES).splitlines() if "uni_pc" in line)
    assert "| 17.0 | 35.0 | 31.0 | 33.0 MeanCache | +2.0 |" in line and "int8" not in across.ways(some, PICTURES)
    line = next(line for line in across.precisions(some, PICTURES).splitlines() if line.startswith("| int8"))
    assert "| 21.0 | 39.0 | 35.0 | 37.0 MeanCache | +2.0 |" in line
    assert across.precisions(tables(records(), [], []), PICTURES) == ""
    said = across.line(some, PICTURES)
    assert "In 2 other ways of sampling (2 captions)" in said and "at 2x in none" in said
    assert "at 3x in uni_pc (MeanCache, by 6.0 dB), int8 (MeanCache, by 6.0 dB)" in said
    assert across.line(tables(records(), [], []), PICTURES) == ""


def test_what_three_of_four_pictures_of_left_out_models_reach_is_written_for_the_node(tmp_path, monkeypatch):
    noisy = replace(PICTURES, sampler="er_sde")
    some = tables([*records(), *records(noisy, 10.)], [], [])
    assert unmeasured.expected(some) == {
        Quantity.VELOCITY: {"2": 34., "3": 20.}, Quantity.PICTURE: {"2": 24., "3": 10.}}
    found = json.loads(unmeasured.write(tmp_path, some).read_text())
    assert found["velocity"]["2"] == 34. and "one_pictures, two_pictures" in found["origin"]
    monkeypatch.setattr(profile, "GENERAL", tmp_path)
    assert profile.general_quality(Quantity.VELOCITY, 2.5) == pytest.approx(27.)
    assert profile.general_quality(Quantity.PICTURE, 3.) == 10.
    assert profile.general_quality(Quantity.VELOCITY, 3.5) == pytest.approx(13.)
    assert profile.general_quality(Quantity.VELOCITY, 1.2) == 34.
    monkeypatch.setattr(profile, "GENERAL", tmp_path / "absent")
    assert profile.general_quality(Quantity.VELOCITY, 2.) is None
    assert unmeasured.write(tmp_path, []) is None
    assert "| one_pictures | 30 steps, euler, simple, cfg 4 | 2 | 2x | 36.0 |" in unmeasured.leave_one_out(some)


def test_what_only_some_ways_of_sampling_have_is_less_by_what_the_others_are_less():
    faster = [replace(record, point="4x", macs=25.) for record in records()
              if (record.method, record.point) == ("Auto, profile of other models", "3x")]
    uni_pc = records(replace(PICTURES, sampler="uni_pc"), 8.)
    found = unmeasured.expected(tables([*records(), *faster, *uni_pc], [], []))
    alone = unmeasured.expected(tables([*records(), *faster], [], []))[Quantity.VELOCITY]
    assert found[Quantity.VELOCITY]["3"] == alone["3"] - 8. and found[Quantity.VELOCITY]["4"] == alone["4"] - 8.


def test_more_steps_for_the_same_time_are_compared_with_many():
    forty = replace(PICTURES, steps=more_steps.STEPS)
    some = tables(records(forty, exact=True), [], [])
    text = more_steps.more_steps(more_steps.of_steps(some, PICTURES))
    assert "| 20 steps | 20 | 22.0 | 17.0 |" in text and "| 40 steps, Auto 2x | 20 | 40.0 | 35.0 |" in text
    assert "| 40 steps | 40 | equal | 50.0 |" in text
    assert "35.0 dB" in more_steps.line(some) and "17.0" in more_steps.line(some)
    assert more_steps.more_steps([]) == more_steps.line([]) == ""


@pytest.mark.parametrize("lower", [0., 20.])
def test_a_report_of_few_measurements_is_written_all_the_same(tmp_path, lower):
    few = [record for record in records(lower=lower) if record.method in ("fewer steps", "MeanCache")]
    assert first_screen(tmp_path, few) == []
