"""`python3 -m lab.templates` with any Python from 3.10 prepares a ComfyUI and runs run.py in its Python."""

import sys

from demo import host

from . import options

# This repository as the package `blockdance`, as the tests have it: its own root must not be executed
START = ("import sys, types; package = types.ModuleType('blockdance'); package.__path__ = [sys.argv.pop(1)]; "
         "sys.modules['blockdance'] = package; from blockdance.lab.templates import run; sys.exit(run.main())")


def main() -> int:
    options.parse(sys.argv[1:])  # a wrong option must not cost an installation
    needs = (*host.DEMO_NEEDS, "playwright")
    return host.execute(host.prepare(needs), ["-c", START, str(host.REPOSITORY), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
