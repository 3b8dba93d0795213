"""`python3 -m lab.benchmarks` with any Python from 3.10 prepares a ComfyUI and runs run.py in it."""

import sys

from demo import host

from . import options, start


def main() -> int:
    options.parse(sys.argv[1:])  # a wrong option must not cost an installation
    return start.execute("blockdance.lab.benchmarks.run", sys.argv[1:])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
