"""The core stands alone: importing any of its modules brings in torch, never the host."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "blockdance_core").rglob("*.py")
    if path.stem != "__init__" and "comfy" not in path.relative_to(ROOT).parts)


def test_the_core_does_not_import_the_host():
    script = f"""
import importlib, sys
sys.path.insert(0, {str(ROOT)!r})
for name in {CORE!r}:
    importlib.import_module(name)
host = [name for name in sys.modules if name.split(".")[0] in ("comfy", "comfy_api", "server", "folder_paths")]
assert not host, host
"""
    subprocess.run([sys.executable, "-c", script], check=True)
