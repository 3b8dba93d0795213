"""Which ComfyUI is chosen, and what is said when it cannot be used. Nothing is installed here."""

import sys
from pathlib import Path

import pytest

from blockdance.demo import host


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("COMFYUI_PATH", "COMFYUI_PYTHON", "BLOCKDANCE_HOST", "BLOCKDANCE_COMFYUI", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def comfyui(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    (folder / "main.py").touch()
    monkeypatch.setenv("COMFYUI_PATH", str(folder))
    return folder


@pytest.mark.parametrize("platform, variables, place", [
    ("linux", {}, "home/.cache/blockdance/comfyui-0.30.0"),
    ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/blockdance/comfyui-0.30.0"),
    ("darwin", {}, "home/Library/Caches/blockdance/comfyui-0.30.0"),
    ("win32", {"LOCALAPPDATA": "local"}, "local/blockdance/comfyui-0.30.0"),
    ("linux", {"BLOCKDANCE_HOST": "elsewhere"}, "elsewhere/comfyui-0.30.0"),
    ("linux", {"BLOCKDANCE_HOST": "elsewhere", "BLOCKDANCE_COMFYUI": "0.24.1"}, "elsewhere/comfyui-0.24.1"),
])
def test_the_managed_host_lives_in_the_users_cache(platform, variables, place, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for name, value in variables.items():
        monkeypatch.setenv(name, value if name == "BLOCKDANCE_COMFYUI" else str(tmp_path / value))
    assert host.managed_place() == tmp_path / place


def test_a_comfyui_of_the_user_is_used_as_it_is(comfyui, monkeypatch):
    monkeypatch.setenv("COMFYUI_PYTHON", sys.executable)
    assert host.prepare(needs=("json",)) == host.Host(comfyui, Path(sys.executable))


def test_the_python_beside_comfyui_is_found(comfyui):
    python = host.install.venv_python(comfyui / ".venv")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert host.prepare(needs=("json",)).python == python


def test_a_folder_without_main_py_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(host.HostError, match="main.py"):
        host.prepare()


def test_missing_packages_are_named_with_the_command_that_installs_them(comfyui, monkeypatch):
    monkeypatch.setenv("COMFYUI_PYTHON", sys.executable)
    with pytest.raises(host.HostError, match="no_such_module(.|\n)*pip install -r"):
        host.prepare(needs=("json", "no_such_module"))


def test_a_python_that_does_not_start_is_named(comfyui, monkeypatch):
    monkeypatch.setenv("COMFYUI_PYTHON", str(comfyui / "nowhere"))
    with pytest.raises(host.HostError, match="nowhere"):
        host.prepare()


@pytest.mark.parametrize("made, said", [
    ((), "nothing is there yet"), (("install.log",), "not finished"),
])
def test_where_says_whether_anything_is_there(made, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BLOCKDANCE_HOST", str(tmp_path))
    place = host.managed_place()
    place.mkdir()
    for name in made:
        (place / name).touch()
    monkeypatch.setattr(sys, "argv", ["demo.host", "where"])
    assert host.main() == 0
    shown = capsys.readouterr()
    assert shown.out == f"{place}\n", "scripts take it for the path"
    assert said in shown.err and "demo.host prepare" in shown.err


def test_where_says_whether_comfyui_path_names_a_comfyui(comfyui, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["demo.host", "where"])
    host.main()
    assert "no ComfyUI" not in capsys.readouterr().err
    (comfyui / "main.py").unlink()
    host.main()
    shown = capsys.readouterr()
    assert shown.out == f"{comfyui}\n" and "no main.py" in shown.err
