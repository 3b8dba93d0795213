"""Into ComfyUI's Python, with the pack importable as `blockdance`. Standard library only; any Python from 3.10.

    python3 -m benchmarks.start FILE [ARGUMENTS]

runs a script of your own there, which may then `from blockdance.benchmarks.compare import compare`.
"""

from __future__ import annotations  # so that an older Python gets as far as being told so

import os
import sys
from pathlib import Path

from demo import host

# A bare parent package stands in for the repository's root, whose `__init__.py` only ComfyUI may execute; and the root
# itself stays off the path, where its folder `nodes` would hide the host's `nodes.py`.
BOOT = """
import os, runpy, sys, types
root, target, *arguments = sys.argv[1:]
sys.path[0] = os.environ["COMFYUI_PATH"]
package = types.ModuleType("blockdance")
package.__path__ = [root]
sys.modules["blockdance"] = package
sys.argv = [target, *arguments]
import comfy.cli_args, torch
comfy.cli_args.args.cpu = not torch.cuda.is_available()
if target.endswith(".py"):
    runpy.run_path(target, run_name="__main__")
else:
    runpy.run_module(target, run_name="__main__", alter_sys=True)
"""


def command(target: str, arguments: list[str]) -> list[str]:
    """Arguments for ComfyUI's Python: `target` is a module of `blockdance`, or the path of a script."""
    return ["-c", BOOT, str(host.REPOSITORY), target, *arguments]


def execute(target: str, arguments: list[str]) -> int:
    """Run it in place of this process, one thread unless OMP_NUM_THREADS says otherwise: the models are tiny."""
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return host.execute(host.prepare(), command(target, arguments), threads)


def main() -> int:
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: python3 -m benchmarks.start FILE [ARGUMENTS]")
    return execute(str(Path(sys.argv[1]).resolve()), sys.argv[2:])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
