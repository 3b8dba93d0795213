"""ComfyUI's workflow templates, as the package index has them, in the cache folder of this user."""

import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path

from ...demo import host

PACKAGE = "comfyui-workflow-templates-json"
WHEEL = re.compile(r"-([\d.]+)-py3")


@dataclass(frozen=True)
class Package:
    version: str
    folder: Path  # with a JSON file per template, and their index


def newest() -> Package:
    """The newest of the index, downloaded unless it is there; the newest that is there where no index can be reached.
    Raises RuntimeError."""
    place = host.managed_places() / "templates"
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d",
                           place, PACKAGE], capture_output=True, text=True)
    wheels = {WHEEL.search(path.name)[1]: path for path in place.glob("*.whl")}
    if not wheels:
        raise RuntimeError(f"cannot download {PACKAGE}: {done.stderr.strip()}")
    number = max(wheels, key=lambda number: [int(part) for part in number.split(".")])
    folder = place / number
    if not folder.is_dir():
        with zipfile.ZipFile(wheels[number]) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    folder.mkdir(exist_ok=True)
                    (folder / Path(name).name).write_bytes(archive.read(name))
    return Package(number, folder)


def own() -> Package:
    """Those that this ComfyUI shows. Raises RuntimeError for one that has none."""
    try:
        index = next(path for path in files(PACKAGE) or () if path.name == "index.json")
    except (PackageNotFoundError, StopIteration):
        raise RuntimeError(f"this ComfyUI does not have {PACKAGE}; leave out --own") from None
    return Package(version(PACKAGE), Path(index.locate()).parent)
