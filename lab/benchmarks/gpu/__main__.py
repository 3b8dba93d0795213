"""`python3 -m lab.benchmarks.gpu` with any Python from 3.10 prepares a ComfyUI and runs run.py in it."""

import os
import sys

from demo import host

from .. import start
from . import document, options


def main() -> int:
    given = options.parse(sys.argv[1:])
    if given.publish:
        print(f"report: {document.write(given.publish)}")
        return 0
    if given.small:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return start.execute("blockdance.lab.benchmarks.gpu.run", sys.argv[1:])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
