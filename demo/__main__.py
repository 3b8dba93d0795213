"""The main job: `python3 -m demo` with any Python from 3.10 prepares a ComfyUI and runs run.py in it."""

import sys

from . import host, options


def main() -> int:
    options.parse(sys.argv[1:])  # a wrong option must not cost an installation
    return host.execute(host.prepare(), ["-m", "demo.run", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
