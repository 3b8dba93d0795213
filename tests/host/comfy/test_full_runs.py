"""Which full runs others are compared with, and where their times are kept."""

import json
import subprocess
import sys

import pytest

from blockdance.blockdance_core.comfy.full_runs import MOST_RUNS, NAME, FullRuns, Machine
from blockdance.blockdance_core.engine.report import Evaluation, Report
from blockdance.blockdance_core.plan.plan import Plan, SkipModel, Transformer
from blockdance.tests.documents import ROOT

GPU = Machine("a GPU", paced=False)
WORKERS, SIZES = 3, 8
WORKER = """
import runpy, sys
from pathlib import Path
root, folder, first, count = sys.argv[1:]
runpy.run_path(f"{root}/tests/conftest.py")
from blockdance.tests.host.comfy.test_full_runs import see_sizes
see_sizes(Path(folder), int(first), int(count))
"""


def report(seconds: float, computed: int = 8, shape: tuple[int, ...] = (1, 4, 64, 64), macs: int = 100,
           name: str = "Flux", steps: int = 8, first: float = 0.) -> Report:
    """Of 8 evaluations, the computed ones of which share the seconds; the first takes some more, as it loads."""
    reuses = [None] * computed + [SkipModel(4)] * (steps - computed)
    evaluations = [Evaluation(step, reuse, 0 if reuse else 4, 4, 1, macs=0 if reuse else macs, total_macs=macs,
                              seconds=0. if reuse else seconds / computed + (0 if step else first))
                   for step, reuse in enumerate(reuses)]
    return Report("Auto", Transformer(name, (4,)), Plan.from_reuses(reuses), evaluations, seconds + first, shape=shape)


def fast(seconds: float = 5., **other) -> Report:
    return report(seconds, 4, **other)


def test_the_fastest_full_run_of_the_same_work_is_what_others_are_compared_with():
    seen = FullRuns()
    seen.see(fast())
    assert seen.seconds(fast()) is None, "only full runs count"
    for seconds in (12., 10., 11.):
        seen.see(report(seconds))
    assert seen.seconds(fast()) == pytest.approx(10.)
    assert seen.seconds(fast(macs=103)) == pytest.approx(10.), "a prompt may be a little longer"


@pytest.mark.parametrize("other", [
    {"macs": 200}, {"shape": (1, 4, 128, 128)}, {"shape": (2, 4, 64, 64)}, {"steps": 9}, {"name": "Wan"}],
    ids=["guidance", "size", "batch", "steps", "model"])
def test_runs_of_other_work_are_not_compared(other):
    seen = FullRuns()
    seen.see(report(10.))
    assert seen.seconds(fast(**other)) is None


def test_nor_are_those_on_another_machine():
    seen = FullRuns()
    seen.see(report(10.))
    assert seen.seconds(fast(), GPU) is None


def test_loading_in_either_run_does_not_count():
    seen = FullRuns()
    seen.see(report(10., first=30.))
    assert seen.seconds(fast()) == pytest.approx(10.)
    loading = fast(first=30.)
    loading.full_seconds = seen.seconds(loading)
    assert loading.headline == "2.0x faster: 10.0 s -> 5.0 s"


@pytest.mark.parametrize("full, seconds", [(10., 12.), (25., 5.)], ids=["now", "then"])
def test_times_are_not_compared_where_another_program_took_its_share_of_the_machine(full, seconds):
    seen = FullRuns()
    seen.see(report(full))
    assert seen.seconds(fast(seconds)) is None


def test_without_the_pace_of_evaluations_no_run_is_faster_than_what_it_leaves_out():
    seen = FullRuns()
    seen.see(report(25.), GPU)
    assert seen.seconds(fast(5.), GPU) is None
    assert seen.seconds(fast(12.), GPU) == pytest.approx(25.)
    assert seen.seconds(fast(30.), GPU) == pytest.approx(25.), "a method that makes runs slower is told so"


def test_where_conditions_have_changed_the_latest_full_run_counts():
    seen = FullRuns()
    seen.see(report(10.))
    seen.see(report(20.))
    assert seen.seconds(fast(10.)) == pytest.approx(20.)


def test_full_runs_that_cannot_be_counted_are_told_apart_by_their_blocks():
    seen = FullRuns()
    seen.see(report(10., macs=0))
    assert seen.seconds(fast(macs=0)) == pytest.approx(10.)


def test_times_are_known_after_a_restart(tmp_path):
    FullRuns(lambda: tmp_path).see(report(10.), GPU)
    assert FullRuns(lambda: tmp_path).seconds(fast(), GPU) == pytest.approx(10.)
    assert not list(tmp_path.glob("*.json")), "such files are profiles"


def test_only_the_latest_kinds_are_kept(tmp_path):
    FullRuns(lambda: tmp_path, most=2)
    seen = FullRuns(lambda: tmp_path, most=2)
    for size in (16, 32, 64):
        seen.see(report(float(size), shape=(1, 4, size, size)))
    restarted = FullRuns(lambda: tmp_path)
    for runs in (seen, restarted):
        found = [runs.seconds(fast(size / 2, shape=(1, 4, size, size))) for size in (16, 32, 64)]
        assert found == [None, pytest.approx(32.), pytest.approx(64.)]
    assert len((tmp_path / NAME).read_text().splitlines()) == 2 < MOST_RUNS


def see_sizes(folder, first: int, count: int) -> None:
    """What one of several programs does."""
    seen = FullRuns(lambda: folder)
    for size in range(first, first + count):
        seen.see(report(10., shape=(1, 4, size, size)))


def test_programs_that_write_at_once_lose_nothing(tmp_path):
    command = [sys.executable, "-c", WORKER, str(ROOT), str(tmp_path)]
    workers = [subprocess.Popen([*command, str(1 + number * SIZES), str(SIZES)]) for number in range(WORKERS)]
    assert [worker.wait(timeout=300) for worker in workers] == [0] * WORKERS
    kept = [json.loads(line)["shape"][-1] for line in (tmp_path / NAME).read_text().splitlines()]
    assert sorted(kept) == list(range(1, 1 + WORKERS * SIZES))
    assert [path.name for path in tmp_path.iterdir()] == [NAME], "nothing else is left"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{}\n[1]\nno json\n", b'{"machine": 1}\n'])
def test_a_damaged_file_costs_nothing(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    seen = FullRuns(lambda: tmp_path)
    seen.see(report(10.))
    assert seen.seconds(fast()) == pytest.approx(10.)


def test_where_nothing_can_be_written_times_are_known_for_the_session_and_it_is_said_once(tmp_path, caplog):
    place = tmp_path / "a file"
    place.write_text("")
    seen = FullRuns(lambda: place)
    for _ in range(2):
        seen.see(report(10.))
        assert seen.seconds(fast()) == pytest.approx(10.)
    assert caplog.text.count("how long full runs take is not kept") == 1
