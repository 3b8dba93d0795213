"""`python3 -m lab.training` with any Python from 3.10 prepares a ComfyUI and runs run.py in it, in one process
or more."""

import sys

from demo import host
from lab.benchmarks import start

from . import options

RUN = "blockdance.lab.training.run"


def main() -> int:
    processes = options.parse(sys.argv[1:]).processes  # a wrong option must not cost an installation
    if processes == 1:
        return start.execute(RUN, sys.argv[1:])
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return host.execute(host.prepare(), [*several, *start.command(RUN, sys.argv[1:])], {"OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
