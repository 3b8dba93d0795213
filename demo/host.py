"""Which ComfyUI the demo and the tests run in. Standard library only; any Python from 3.10.

    python3 -m demo.host prepare        make sure that there is one, and say where
    python3 -m demo.host where          only say where it is or would be, and whether anything is there
    python3 -m demo.host remove         delete the managed one
    python3 -m demo.host run -- ARGS    its Python with ARGS; ComfyUI's modules can be imported

With COMFYUI_PATH set, that ComfyUI is used as it is, with the Python named by COMFYUI_PYTHON or found beside it, and
nothing is installed. Otherwise ComfyUI and its requirements are installed once (install.py) into a folder of the
user's cache, which every checkout shares. BLOCKDANCE_HOST names another folder to have it in, and BLOCKDANCE_COMFYUI
another release (see install.RELEASES), each of which has a folder of its own there.
"""

from __future__ import annotations  # so that an older Python gets as far as being told so

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import install

REPOSITORY = Path(__file__).resolve().parent.parent
DEMO_NEEDS = ("torch", "aiohttp", "kornia", "PIL")


class HostError(RuntimeError):
    """There is no usable ComfyUI; the message says what to do."""


@dataclass(frozen=True)
class Host:
    comfyui: Path  # the folder with main.py
    python: Path  # the interpreter that ComfyUI runs in


def prepare(needs: tuple[str, ...] = DEMO_NEEDS) -> Host:
    """The host to use, installed first where it is ours to install. `needs` are modules that it must import.

    Raises HostError for an unusable COMFYUI_PATH and install.InstallError for a failed installation.
    """
    if not (given := os.environ.get("COMFYUI_PATH")):
        place = managed_place()
        install.install(place, install.chosen_release())
        return Host(place / "ComfyUI", install.venv_python(place / "venv"))
    comfyui = Path(given).expanduser().resolve()
    if not (comfyui / "main.py").is_file():
        raise HostError(
            f"COMFYUI_PATH={given} has no main.py. Point it at the folder of ComfyUI that holds main.py, or unset it "
            "to have a ComfyUI installed for the demo.")
    host = Host(comfyui, _python_beside(comfyui))
    _check_imports(host, needs)
    return host


def current() -> Host:
    """The host whose Python runs this process, as execute() started it."""
    if "COMFYUI_PATH" not in os.environ:
        raise HostError("COMFYUI_PATH is not set: start this with `python3 -m demo` or `python3 -m tests`")
    return Host(Path(os.environ["COMFYUI_PATH"]).resolve(), Path(sys.executable))


def managed_place() -> Path:
    """The folder of the managed host, whether it exists or not."""
    return _managed_places() / f"comfyui-{install.chosen_release().comfyui}"


def state() -> str:
    """Whether there is a ComfyUI where one is looked for, in words."""
    if not (given := os.environ.get("COMFYUI_PATH")):
        return install.state(managed_place(), install.chosen_release())
    if (Path(given).expanduser() / "main.py").is_file():
        return "COMFYUI_PATH names it; nothing is installed into it"
    return "COMFYUI_PATH names it, but it has no main.py and so is no ComfyUI"


def _managed_places() -> Path:
    if given := os.environ.get("BLOCKDANCE_HOST"):
        return Path(given).expanduser().resolve()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "blockdance"


def execute(host: Host, arguments: list[str], environment: dict[str, str] | None = None) -> int:
    """Run the host's Python in place of this process; returns its exit code where a process cannot be replaced."""
    command = [str(host.python), *arguments]
    variables = os.environ | {"COMFYUI_PATH": str(host.comfyui), "COMFYUI_PYTHON": str(host.python)}
    variables |= environment or {}
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, variables)
    child = subprocess.Popen(command, env=variables)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the child got it too and tidies up
            continue


def _python_beside(comfyui: Path) -> Path:
    if given := os.environ.get("COMFYUI_PYTHON"):
        found = shutil.which(Path(given).expanduser())
        return Path(found or given).absolute()  # not resolved: a link may be what makes a virtual environment
    folders = [parent / name for parent in (comfyui, comfyui.parent) for name in (".venv", "venv")]
    candidates = [install.venv_python(folder) for folder in folders]
    candidates.append(comfyui.parent / "python_embeded" / "python.exe")
    return next((python for python in candidates if python.is_file()), Path(sys.executable))


def _check_imports(host: Host, needs: tuple[str, ...]) -> None:
    try:
        done = subprocess.run([host.python, "-c", f"import {', '.join(needs)}"], capture_output=True, text=True)
    except OSError as error:
        raise HostError(f"cannot start {host.python} ({error}); set COMFYUI_PYTHON to ComfyUI's Python") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise HostError(
            f"{host.python}, the Python found for COMFYUI_PATH={host.comfyui}, cannot import {', '.join(needs)}: "
            f"{reason}\nIf it is the wrong Python, set COMFYUI_PYTHON. If packages are missing, install them:\n"
            f"  {host.python} -m pip install -r {host.comfyui / 'requirements.txt'} {' '.join(install.TEST_TOOLS)}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m demo.host", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", nargs="?", default="prepare", choices=("prepare", "where", "remove", "run"))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for run: what the host's Python is given")
    options = parser.parse_args()
    place = managed_place()
    if options.action == "where":
        print(os.environ.get("COMFYUI_PATH") or place, flush=True)
        print(f"({state()})", file=sys.stderr)  # beside stdout, which scripts take for the path
    elif options.action == "remove":
        install.remove(place)
        print(f"removed {place}")
    else:
        host = prepare()
        if options.action == "run":
            paths = [str(host.comfyui), os.environ.get("PYTHONPATH", "")]
            arguments = options.arguments[options.arguments[:1] == ["--"]:]
            return execute(host, arguments, {"PYTHONPATH": os.pathsep.join(filter(None, paths))})
        print(f"ComfyUI: {host.comfyui}\nPython:  {host.python}")
    return 0


def report_errors(command: Callable[[], int]) -> int:
    """Call `command` and return its exit code; a host that cannot be had is a message and exit code 1."""
    try:
        return command()
    except (HostError, install.InstallError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(report_errors(main))
