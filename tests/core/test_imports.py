"""The core stands alone: importing it brings in torch, never the host."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted(path.stem for path in (ROOT / "blockdance_core").glob("*.py") if path.stem != "__init__")


def test_the_core_does_not_import_the_host():
    script = f"""
import importlib, sys
sys.path.insert(0, {str(ROOT)!r})
for name in {CORE!r}:
    importlib.import_module("blockdance_core." + name)
host = [name for name in sys.modules if name.split(".")[0] in ("comfy", "comfy_api", "server", "folder_paths")]
assert not host, host
"""
    subprocess.run([sys.executable, "-c", script], check=True)
