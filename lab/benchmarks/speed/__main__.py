"""`python3 -m lab.benchmarks.speed` with any Python from 3.10 prepares a ComfyUI and runs run.py in it."""

import os
import sys

from demo import host

from .. import start
from . import options


def main() -> int:
    given = options.parse(sys.argv[1:])  # a wrong option must not cost an installation
    if given.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return start.execute("blockdance.lab.benchmarks.speed.run", sys.argv[1:])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
