"""`python3 -m lab.benchmarks.front_page` with any Python from 3.10 runs pictures.py in ComfyUI's."""

import sys

from demo import host

from .. import start


def main() -> int:
    return start.execute("blockdance.lab.benchmarks.front_page.pictures", sys.argv[1:])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
