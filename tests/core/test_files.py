"""A folder of profiles that several workers write and read at once: whole files, and nothing lost."""

import subprocess
import sys

import pytest

from blockdance.blockdance_core import files
from blockdance.blockdance_core.auto.profile import Profile
from blockdance.blockdance_core.auto.profile_library import Library
from blockdance.blockdance_core.plan.schedule import Origin, Quantity, SamplerTraits
from blockdance.tests.core.auto.imagined_model import FINGERPRINT, kernel, run
from blockdance.tests.documents import ROOT

WORKERS, ROUNDS = 4, 12
WORKER = """
import runpy, sys
from pathlib import Path
root, folder, number, rounds = sys.argv[1:]
runpy.run_path(f"{root}/tests/conftest.py")
from blockdance.tests.core.test_files import work
work(Path(folder), number, int(rounds))
"""


def work(folder, number: str, rounds: int) -> None:
    """What a worker does: it measures the shared model and one of its own, keeps what it sees of its sampler, reads."""
    library = Library((folder,))
    for turn in range(rounds):
        for weights in ("shared", f"of {number}"):
            library.add(Profile(FINGERPRINT, Quantity.VELOCITY, kernel(20), 1, {"turn": turn}, {}, weights=weights))
        assert library.keep_sampler(FINGERPRINT, SamplerTraits(key=f"sampler {number} {turn}", origin=Origin.RUN))
        assert library.find(FINGERPRINT, Quantity.VELOCITY, run(20), "shared").weights == "shared"
        library.state()


def test_workers_that_write_at_once_lose_nothing(tmp_path):
    command = [sys.executable, "-c", WORKER, str(ROOT), str(tmp_path)]
    workers = [subprocess.Popen([*command, str(number), str(ROUNDS)], stderr=subprocess.PIPE, text=True)
               for number in range(WORKERS)]
    for worker in workers:
        _, said = worker.communicate(timeout=300)
        assert worker.returncode == 0 and "no usable profile" not in said and "cannot be read" not in said, said
    library = Library((tmp_path,))
    found = {profile.weights: profile for profile in map(library.load, library.names())}
    assert found.keys() == {"shared", *(f"of {number}" for number in range(WORKERS))}
    keys = {f"sampler {number} {turn}" for number in range(WORKERS) for turn in range(ROUNDS)}
    assert found["shared"].samplers.keys() == keys
    assert {path.name for path in tmp_path.iterdir()} == set(library.names()), "nothing else is left"


def test_a_reader_finds_the_old_or_the_new_file(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("old")
    with files.replacing(path) as written:
        written.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as written:
        written.write_text("half of it")
        raise RuntimeError("the disk is full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_new_file_may_be_read_by_whoever_may_read_others(tmp_path):
    plain, shared = tmp_path / "plain", tmp_path / "shared"
    plain.write_text("")
    with files.replacing(shared) as written:
        written.write_text("")
    assert shared.stat().st_mode == plain.stat().st_mode


def test_a_lock_of_a_worker_that_is_gone_is_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ABANDONED", .1)
    (tmp_path / files.LOCK).write_text("")
    with files.alone(tmp_path):
        assert (tmp_path / files.LOCK).exists()
    assert not list(tmp_path.iterdir())
