"""The command line. Standard library only: it is read before there is a ComfyUI."""

from __future__ import annotations  # so that an older Python gets as far as being told so

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "demo" / "weights"
FULL_CAPTIONS, OTHER_CAPTIONS, QUICK_CAPTIONS = 16, 4, 4  # others: of settings beside the first
PICTURES = "_pictures"  # in the names of weights of picture world, which comes first
QUICK_POINTS = 3


@dataclass(frozen=True)
class Options:
    quick: bool
    search: bool
    publish: bool
    rewrite: bool
    models: tuple[Path, ...]
    arms: tuple[str, ...]
    settings: tuple[str, ...]
    points: int | None  # of a curve, None for all
    captions: int
    other_captions: int  # in settings beside the first
    workers: int
    out: Path


def parse(arguments: list[str]) -> Options:
    """Read the command line. Exits with code 2 for a wrong option and with 1 for missing weights."""
    parser = argparse.ArgumentParser(
        prog="python3 -m lab.benchmarks", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure every method on the demo models: PSNR, SSIM, objects right, against compute and seconds.\n"
                    "An interrupted run goes on where it stopped, with the same --out.")
    parser.add_argument("--quick", action="store_true",
                        help=f"picture world in its first setting, the nearest rivals, {QUICK_POINTS} points a curve, "
                             f"{QUICK_CAPTIONS} captions: minutes, not hours")
    parser.add_argument("--search", action="store_true",
                        help="search the settings of Delta-DiT and BlockDance on calibration captions instead")
    parser.add_argument("--publish", action="store_true",
                        help="also write the report and its pictures into docs/internals, where it replaces the same "
                             "methods of the same models in the same settings")
    parser.add_argument("--rewrite", action="store_true",
                        help="measure nothing: write the published report again, from its CSV")
    parser.add_argument("--models", nargs="+", type=Path, metavar="FILE",
                        help="weights; without it, all of demo/weights (those of picture world with --quick)")
    parser.add_argument("--arms", nargs="+", default=[], metavar="TEXT",
                        help="only methods whose name has one of these; a whole name, such as Auto or 'L2P 2x', is "
                             "that one alone; fewer steps are always measured")
    parser.add_argument("--settings", nargs="+", default=[], metavar="TEXT",
                        help="only ways of sampling whose name has one of these, such as heun or '50 steps'")
    parser.add_argument("--points", type=whole, metavar="N",
                        help=f"at most so many points a curve, its ends among them; {QUICK_POINTS} with --quick")
    parser.add_argument("--captions", type=whole,
                        help=f"how many; {FULL_CAPTIONS} in the first setting of a model and {OTHER_CAPTIONS} in "
                             f"others, {QUICK_CAPTIONS} with --quick")
    parser.add_argument("--workers", type=whole, default=min(2, os.cpu_count() or 1),
                        help="processes of one thread each that share the captions (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmark-output",
                        help="folder for measurements and report")
    given = parser.parse_args(arguments)
    models = given.models or sorted(WEIGHTS.glob("*.safetensors"),
                                    key=lambda path: (PICTURES not in path.stem, "pixart" not in path.stem, path))
    if given.quick and not given.models:
        models = [path for path in models if PICTURES in path.stem] or models[:1]
    if missing := [str(path) for path in models if not path.is_file()] or ([] if models else [str(WEIGHTS)]):
        sys.exit(f"error: no weights at {', '.join(missing)}. Give their place with --models, or train them:\n"
                 "  python3 -m demo.host run -- -m demo.train --help")
    if len({path.stem for path in models}) < len(models):
        sys.exit(f"error: two of {', '.join(map(str, models))} have one name, by which they are told apart")
    captions = given.captions or (QUICK_CAPTIONS if given.quick else FULL_CAPTIONS)
    points = given.points or (QUICK_POINTS if given.quick else None)
    others = given.captions or (QUICK_CAPTIONS if given.quick else OTHER_CAPTIONS)
    return Options(given.quick, given.search, given.publish, given.rewrite, tuple(path.resolve() for path in models),
                   tuple(given.arms), tuple(given.settings), points, captions, others, given.workers,
                   given.out.resolve())


def whole(text: str) -> int:
    if not text.isdecimal() or (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return value
