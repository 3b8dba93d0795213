"""What is in the archive that users install: everything but the folders that .comfyignore names."""

import subprocess
from pathlib import Path

from blockdance.blockdance_core.ada.policy_file import SUFFIX
from blockdance.blockdance_core.auto.profile import FORMAT, GENERAL

ROOT = Path(__file__).resolve().parents[2]


def published() -> list[Path]:
    ignored = [ROOT / line for line in (ROOT / ".comfyignore").read_text(encoding="utf-8").split()]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in map(ROOT.joinpath, listed.stdout.splitlines())
            if path.is_file() and not any(place in (path, *path.parents) for place in ignored)]


def test_nothing_of_the_demos_models_is_published():
    files = published()
    profiles = [path for path in files if path.suffix == ".json" and FORMAT in path.read_text(encoding="utf-8")]
    assert {path.parent for path in profiles} == {GENERAL}, "what stands in for a model that was not measured"
    assert not [path for path in files if path.suffix == SUFFIX]
    assert ROOT / "nodes" / "auto.py" in files
