"""Into ComfyUI's Python, with the pack importable as `blockdance`. Standard library only; any Python from 3.10.

    python3 -m lab.benchmarks.start FILE [ARGUMENTS]

runs a script of your own there, which may then `from blockdance.lab.benchmarks.compare import compare`.
"""

from __future__ import annotations  # so that an older Python gets as far as being told so

import os
import sys
from pathlib import Path

from demo import host

BOOT = Path(__file__).with_name("boot.py")


def command(target: str, arguments: list[str]) -> list[str]:
    """Arguments for ComfyUI's Python: `target` is a module of `blockdance`, or the path of a script."""
    return [str(BOOT), target, *arguments]


def execute(target: str, arguments: list[str]) -> int:
    """Run it in place of this process, one thread unless OMP_NUM_THREADS says otherwise: the models are tiny."""
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return host.execute(host.prepare(), command(target, arguments), threads)


def main() -> int:
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: python3 -m lab.benchmarks.start FILE [ARGUMENTS]")
    return execute(str(Path(sys.argv[1]).resolve()), sys.argv[2:])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
