"""The command line. Standard library only: it is read before there is a ComfyUI."""

from __future__ import annotations  # so that an older Python gets as far as being told so

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    names: list[str]
    own: bool
    again: bool
    publish: bool


def parse(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="python3 -m lab.templates",
        description="Put BlockDance into ComfyUI's own workflow templates, in its page, and try them. What was tried "
                    "is kept in the cache folder, and a second call goes on from there.")
    parser.add_argument("names", nargs="*", metavar="name", help="templates; without one, all that sample")
    parser.add_argument("--own", action="store_true",
                        help="the templates that the installed ComfyUI shows, not the newest of the package index")
    parser.add_argument("--again", action="store_true", help="try also what was tried before")
    parser.add_argument("--publish", action="store_true", help="write docs/internals/templates.md of what was tried")
    return Options(**vars(parser.parse_args(arguments)))
