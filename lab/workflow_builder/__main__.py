"""`python3 -m lab.workflow_builder [name ...]`, with any Python from 3.10, writes all templates and the pictures of
nodes in the README and the help pages, or those named.
"""

import sys

from demo import host

# This repository as the package `blockdance`, as the tests have it: its own root must not be executed
START = ("import sys, types; package = types.ModuleType('blockdance'); package.__path__ = [sys.argv.pop(1)]; "
         "sys.modules['blockdance'] = package; from blockdance.lab.workflow_builder import build; "
         "sys.exit(build.main())")


def main() -> int:
    needs = (*host.DEMO_NEEDS, "playwright")
    return host.execute(host.prepare(needs), ["-c", START, str(host.REPOSITORY), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
