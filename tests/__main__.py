"""All tests: `python3 -m tests`, with any Python from 3.10, runs pytest in a ComfyUI's Python, one process a core.

With pytest's own arguments it does what they say: `python3 -m tests tests/host/comfy/test_sampling.py -k flux`.
"""

import os
import sys
from pathlib import Path

from demo import host

TESTS = Path(__file__).resolve().parent
# Neither `python -m pytest` nor `-c` as it is: both put the current folder on the path, where this repository's
# `nodes` hides ComfyUI's
PYTEST = "import sys; del sys.path[0]; import pytest; sys.exit(pytest.main())"
MOST = 4  # processes; each takes up to 2 GB


def main() -> int:
    arguments = sys.argv[1:] or ["-n", str(min(MOST, os.cpu_count() or 1)), "--dist", "loadfile"]
    if not any(inside_tests(argument) for argument in arguments):
        arguments.append(str(TESTS))
    needs = (*host.DEMO_NEEDS, "pytest", "xdist", "hypothesis", "playwright")
    # The tests' tensors are too small for a second thread to help, and on a busy machine every operation waits for it
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return host.execute(host.prepare(needs), ["-c", PYTEST, *arguments], threads)


def inside_tests(argument: str) -> bool:
    """Whether a pytest argument names a file, folder or test of this folder."""
    path = Path(argument.split("::")[0]).absolute()
    return path.exists() and TESTS in (path, *path.parents)


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
