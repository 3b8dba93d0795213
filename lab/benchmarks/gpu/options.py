"""The command line. Standard library only: it is read before there is a ComfyUI."""

from __future__ import annotations  # so that an older Python gets as far as being told so

import argparse
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("all", "streaming", "compile")


@dataclass(frozen=True)
class Options:
    """part: other than all, one that the command starts as a process of its own, which waits to be told to begin."""
    seconds: float
    out: Path
    small: bool
    publish: Path | None
    part: str


def parse(arguments: list[str]) -> Options:
    """Read the command line. Exits with code 2 for a wrong option."""
    parser = argparse.ArgumentParser(
        prog="python3 -m lab.benchmarks.gpu",
        description="Measure what reuse is worth on one large GPU: Flux, Wan and SD3 of full size with random weights, "
                    "loaded by ComfyUI. What is measured is on record at once; what there is no time for is left out.")
    parser.add_argument("--seconds", type=float, default=220, help="for everything but starting (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "gpu-output" / "gpu.json", help="the record, a JSON file")
    parser.add_argument("--small", action="store_true", help="small models on the CPU: a rehearsal")
    parser.add_argument("--publish", type=Path, metavar="FILE", help="only write docs/internals/gpu.md of this record")
    parser.add_argument("--part", choices=PARTS, default="all", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if not given.seconds > 0:
        parser.error(f"argument --seconds: {given.seconds:g} is too small, use more than 0")
    if given.publish and not given.publish.is_file():
        parser.error(f"argument --publish: there is no file {given.publish}; measure first, with --out {given.publish}")
    return Options(given.seconds, given.out.resolve(), given.small, given.publish, given.part)
