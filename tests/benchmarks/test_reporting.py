"""From records to the report."""

import json
import math
from dataclasses import replace

import pytest

from blockdance.lab.benchmarks import document, options, run, worker
from blockdance.lab.benchmarks.published import joined, read, write
from blockdance.lab.benchmarks.quality import Quality
from blockdance.lab.benchmarks.record import Memory, Record, load, reopen
from blockdance.lab.benchmarks.row import rows, shared
from blockdance.lab.benchmarks.setting import BASE, OF_BASE, PICTURES
from blockdance.lab.benchmarks.statistics import at, estimate
from blockdance.lab.benchmarks.table import tables
from blockdance.lab.benchmarks.versions import NAMES, versions

SHAPES = OF_BASE[BASE]
RECORD = Record("tiny", BASE, 0, "FORA", "N=2", 50., 5, 1., 1., 100., 10, 2., 2., (Quality(30., .9, .1, 4, 3),))
EQUAL = replace(RECORD, method="other", point="", macs=100., qualities=(Quality(math.inf, 1., 0., 4, 4),))
VERSIONS = {"kind": "versions", "comfyui": "0.30.0", "tiny.safetensors": "12ab", "other.safetensors": "34cd"}
FEWER = tuple(replace(RECORD, method="fewer steps", point=str(macs), macs=macs,
                      qualities=(Quality(psnr, .9, .1, 4, 4),)) for macs, psnr in ((40., 20.), (60., 26.)))


def record(folder, *entries):
    with reopen(folder / "records-0.jsonl") as file:
        file.writelines(entry.line() + "\n" for entry in entries)


def test_records_are_read_as_they_were_written(tmp_path):
    memory = Memory("tiny", BASE, "FORA", 2000, 100)
    record(tmp_path, RECORD, EQUAL, memory)
    assert load(tmp_path) == ([RECORD, EQUAL], [memory], [])


def test_a_line_that_was_cut_short_is_dropped_and_the_next_one_is_whole(tmp_path):
    record(tmp_path, RECORD)
    path = tmp_path / "records-0.jsonl"
    path.write_text(path.read_text() + EQUAL.line()[:40])
    assert load(tmp_path)[0] == [RECORD]
    record(tmp_path, EQUAL)
    assert load(tmp_path)[0] == [RECORD, EQUAL]


def test_what_is_on_record_is_not_measured_again(tmp_path, monkeypatch):
    """Two arms of one caption: one has a record, so only the other is asked for."""
    asked = []

    class Named:
        name, base, precision = "tiny", BASE, "float32"

        def __init__(self, weights):
            self.scenes = range

    class Asked:
        def __init__(self, *_):
            self.refused = {}

        def run(self, captions, number, seed, wanted):
            asked.extend(arm.name for arm in arms if wanted(arm))
            return ()

        def memory(self, *_):
            return ()
    arms = tuple(arm for arm in worker.ALL if arm.method == "FORA")[:2]
    monkeypatch.setattr(worker, "Contest", Asked)
    monkeypatch.setattr(worker, "Subject", Named)
    monkeypatch.setattr(worker, "chosen_arms", lambda *_: arms)
    given = replace(options.parse(["--quick", "--captions", "1"]), out=tmp_path, models=("tiny",))
    record(tmp_path, RECORD)
    assert not list(worker.measure(given, worker.Share(0, 1)))
    assert asked == ["FORA N=3"]


def test_a_quick_run_has_three_points_a_curve_and_refines_no_plans_unless_asked():
    quick, more, named, whole = (worker.chosen_arms(options.parse(given.split())) for given in (
        "--quick", "--quick --points 4", "--quick --arms refined", ""))
    points = [[arm.point for arm in arms if arm.method == "TaylorSeer order 1"] for arms in (quick, more, whole)]
    assert points == [["N=2", "N=4", "N=6"], ["N=2", "N=3", "N=4", "N=6"], ["N=2", "N=3", "N=4", "N=6"]]
    auto = [{arm.point for arm in arms if arm.method == "Auto"} for arms in (quick, whole)]
    assert auto[0] == auto[1] and len(auto[0]) == 5
    refined = [any(arm.method == "Auto, refined" for arm in arms) for arms in (quick, more, named, whole)]
    assert refined == [False, False, True, True]
    assert {arm.method for arm in named} == {"Auto, refined", "fewer steps"}
    assert set(whole) == set(worker.ALL)


def test_a_whole_name_asks_for_that_method_or_point_alone():
    arms = worker.chosen_arms(options.parse(["--quick", "--arms", "Auto", "L2P 3x", "TaylorSeer order 1", "HiC"]))
    points = {arm.method: [other.point for other in arms if other.method == arm.method] for arm in arms}
    del points["fewer steps"]
    assert set(points) == {"Auto", "L2P", "TaylorSeer order 1", "HiCache"} and points["L2P"] == ["3x"]
    assert len(points["Auto"]) == 5 and len(points["HiCache"]) == 3


def test_rows_are_fractions_of_the_full_run_beside_them():
    slow = replace(RECORD, number=1, seconds=6., full_seconds=8., qualities=(Quality(40., .9, .1, 2, 2),))
    *_, row = rows([*FEWER, RECORD, slow])
    assert (row.macs, row.blocks, row.seconds, row.psnr.mean) == (.5, .5, (.5 + .75) / 2, 35.)
    assert (row.right, row.objects, row.samples) == (5, 6, 2)
    assert row.ahead == pytest.approx(35 - 23)  # fewer steps: 20 at .4, 26 at .6


def test_the_points_of_a_method_stand_together_whenever_they_were_measured():
    taken_up_again = [FEWER[0], RECORD, FEWER[1]]
    assert [row.name for row in rows(taken_up_again)] == ["fewer steps 60.0", "fewer steps 40.0", "FORA N=2"]


def test_an_unfinished_run_compares_the_captions_that_all_arms_have():
    second = replace(RECORD, number=1)
    assert shared([RECORD, EQUAL, second]) == [RECORD, EQUAL]
    assert shared([RECORD, replace(EQUAL, number=1)]) == [] == shared([])


def test_an_estimate_has_an_interval_that_shrinks_with_more_samples():
    few, many = estimate([30., 34.] * 4), estimate([30., 34.] * 64)
    assert few.mean == many.mean == 32 and few.low < many.low < 32 < many.high < few.high
    assert many.spread == pytest.approx(2, abs=.02)
    assert estimate([5.]).spread == 0 and math.isinf(estimate([math.inf, 5.]).mean)
    with pytest.raises(ValueError):
        estimate([])


def test_a_curve_has_no_height_beyond_its_ends():
    assert at(.5, [(.6, 26.), (.4, 20.)]) == pytest.approx(23)
    assert at(.3, [(.6, 26.), (.4, 20.)]) is None and at(.3, []) is None


def of_pictures(*entries):
    return [replace(entry, model="tiny_pictures", setting=PICTURES) for entry in entries]


def test_a_method_that_sometimes_computes_everything(tmp_path):
    """Its pictures that are equal to the full run's have no PSNR that could be averaged with the others'."""
    some = [replace(RECORD, number=1, qualities=(Quality(math.inf, 1., 0., 4, 4),)), RECORD]
    entries = [*FEWER, *(replace(record, number=1) for record in FEWER), *some]
    document.write(tmp_path, tables(of_pictures(*entries), [], []))
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| 30.0 (30.0 to 30.0) +- 0.0, and some equal |" in text


def test_the_report_says_what_was_measured(tmp_path):
    """Picture world in tables, shapes world in a line a model; all of it in the CSV."""
    entries = of_pictures(*FEWER, RECORD, EQUAL) + [*FEWER, RECORD, replace(RECORD, setting=SHAPES[1])]
    written = document.write(tmp_path, tables(entries, [], [VERSIONS]))
    assert {path.name for path in written} == {
        "benchmarks.md", "benchmarks-tiny.png", "benchmarks-tiny_pictures.png", "benchmarks.csv"}
    text = (tmp_path / "benchmarks.md").read_text()
    assert "comfyui 0.30.0; weights tiny 12ab." in text and "captions: 1. **A preview" in text
    assert "| FORA | N=2 | 0.500 | 30.0 (30.0 to 30.0) +- 0.0 |  |  | +7.0 |  | 0.9000 |  |" in text
    assert "| other |  | 1.000 | equal |" in text
    assert text.index("## tiny_pictures") < text.index("## Shapes world") and "| [tiny](benchmarks-tiny.png) |" in text
    assert text.count("| FORA | N=2 |") == 1
    assert len((tmp_path / "benchmarks.csv").read_text().splitlines()) == 1 + len(entries)


def test_what_was_published_is_read_as_it_was_written(tmp_path):
    memories = [Memory("tiny", BASE, "full", 2 ** 20, 2 ** 18), Memory("tiny", BASE, "FORA", 2 ** 21, 2 ** 19)]
    two_calls = replace(RECORD, setting=replace(BASE, together=False, batch=4, shift=5., precision="int8"))
    written = tables([*FEWER, RECORD, EQUAL, two_calls], memories, [VERSIONS])
    assert [row.psnr is None for row in written[0].rows] == [False, False, False, True]
    written[0] = replace(written[0], note="In two parts.")
    assert read(write(tmp_path / "benchmarks.csv", written)) == written
    document.write(tmp_path, written)
    assert "In two parts." in (tmp_path / "benchmarks.md").read_text()
    assert read(tmp_path / "absent.csv") == []


def test_a_row_says_how_far_it_and_the_full_run_are_from_many_steps_where_that_is_known(tmp_path):
    known = replace(RECORD, qualities=(Quality(30., .9, .1, 4, 3, 33., 40.), Quality(30., .9, .1, 4, 3, 35., 42.)))
    record(tmp_path, known, EQUAL)
    written = tables(load(tmp_path)[0], [], [])
    assert [(row.exact, row.full_exact) for row in written[0].rows] == [(34., 41.), (None, None)]
    once_more = replace(known, number=1, qualities=RECORD.qualities)
    document.write(tmp_path, tables(of_pictures(known, once_more, EQUAL, replace(EQUAL, number=1)), [], []))
    assert "| 34.0 of 41.0, 2 captions |" in (tmp_path / "benchmarks.md").read_text()
    assert read(write(tmp_path / "other.csv", written)) == written


def test_what_was_published_before_there_was_a_column_is_still_read(tmp_path):
    written = tables([*FEWER, RECORD], [], [VERSIONS])
    lines = write(tmp_path / "benchmarks.csv", written).read_text().splitlines()
    place = lines[0].split(",").index("exact")
    (tmp_path / "old.csv").write_text("\n".join(",".join(line.split(",")[:place] + line.split(",")[place + 2:])
                                                for line in lines))
    assert read(tmp_path / "old.csv") == written


def test_every_version_that_is_recorded_is_published():
    assert tuple(versions(())) == NAMES


def test_publishing_replaces_what_was_measured_and_keeps_the_rest():
    heun = next(setting for setting in SHAPES if setting.sampler == "heun")
    old = tables([*FEWER, *(replace(RECORD, model=model, setting=setting) for model in ("tiny", "other")
                            for setting in (BASE, heun))], [], [VERSIONS])
    new = tables([replace(RECORD, macs=70.), EQUAL], [], [VERSIONS])
    found = joined(old, new)
    assert found[1:] == old[1:] and len(old) == 4
    assert found[0].rows == (*(row for row in old[0].rows if row.method == "fewer steps"), *new[0].rows)
    assert joined([], new) == new and joined(old, []) == old
    trained_again = tables([RECORD], [], [VERSIONS | {"tiny.safetensors": "56ef"}])
    assert joined(old, trained_again) == [*old[2:], *trained_again]


def test_fewer_steps_of_more_captions_stay_and_learn_how_far_they_are_from_many_steps():
    again = replace(FEWER[0], qualities=(Quality(21., .9, .1, 4, 4, 25., 40.),))
    old = tables([*FEWER, *(replace(row, number=1) for row in FEWER)], [], [VERSIONS])
    (found,) = joined(old, tables([again], [], [VERSIONS]))
    (row,) = (row for row in found.rows if row.point == FEWER[0].point)
    assert (row.samples, row.psnr.mean) == (2, 20.)
    assert (row.exact, row.full_exact, row.exact_samples) == (25., 40., 1)


def test_methods_stand_in_one_order_whenever_they_were_measured():
    (table,) = tables([replace(RECORD, method="Auto"), RECORD, EQUAL, *FEWER], [], [])
    assert [row.method for row in table.rows] == ["fewer steps", "fewer steps", "Auto", "FORA", "other"]


def test_measurements_of_other_weights_are_not_gone_on_with(tmp_path):
    weights = tmp_path / "tiny.safetensors"
    weights.write_bytes(b"one")
    given = options.parse(["--models", str(weights), "--out", str(tmp_path)])
    with reopen(tmp_path / "records-0.jsonl") as file:
        print(json.dumps({"kind": "versions", **versions(given.models)}), file=file)
    run.refuse_other_weights(given)
    weights.write_bytes(b"another")
    with pytest.raises(SystemExit, match="tiny.safetensors.*--out"):
        run.refuse_other_weights(given)


def test_wrong_options_say_what_is_right(tmp_path):
    with pytest.raises(SystemExit, match="absent.safetensors"):
        options.parse(["--models", str(tmp_path / "absent.safetensors")])
    (tmp_path / "pixart.safetensors").touch()
    with pytest.raises(SystemExit, match="pixart.safetensors.*pixart.safetensors"):
        options.parse(["--models", str(options.WEIGHTS / "pixart.safetensors"), str(tmp_path / "pixart.safetensors")])
    with pytest.raises(SystemExit, match="setting.* nonsense(.|\n)*heun"):
        worker.chosen_settings(options.parse(["--settings", "heun", "nonsense"]))
    with pytest.raises(SystemExit, match="method.* nonsense(.|\n)*fewer steps\n"):
        worker.chosen_arms(options.parse(["--arms", "FORA", "nonsense"]))
    assert [s.sampler for s in worker.chosen_settings(options.parse(["--settings", "heun"]))] == ["heun"]
