"""A part of the command in a process of its own: started early, so that its imports cost no time; stopped in time."""

import subprocess
import sys
from pathlib import Path

from .options import Options

_BOOT = Path(__file__).resolve().parents[1] / "boot.py"
_BEFORE_TORCH = """
import runpy, sys
import comfy_aimdo.control
comfy_aimdo.control.init()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Part:
    """dynamic: prepared for dynamic VRAM, which must be there before torch is."""

    def __init__(self, options: Options, name: str, dynamic: bool = False):
        self.name = name
        self.out = options.out.with_suffix(f".{name}.json")
        self.out.unlink(missing_ok=True)
        first = ["-c", _BEFORE_TORCH, str(_BOOT)] if dynamic else [str(_BOOT)]
        arguments = ["blockdance.lab.benchmarks.gpu.run", "--part", name, "--out", str(self.out)]
        self._process = subprocess.Popen(
            [sys.executable, *first, *arguments, *(["--small"] if options.small else [])],
            stdin=subprocess.PIPE, text=True)

    def run(self, seconds: float) -> str:
        """Let it begin, and wait for it; what went wrong, if something did."""
        try:
            self._process.communicate(f"{seconds}\n", timeout=seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            return f"stopped after {seconds:.0f} s"
        return f"ended with {self._process.returncode}" if self._process.returncode else ""

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def wait() -> float:
    """In the part's own process: until it may begin; the seconds that it then has, 0 if it is not to."""
    return float(sys.stdin.readline() or 0)
