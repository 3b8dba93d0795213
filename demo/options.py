"""The main job's command line. Standard library only: it is read before there is a ComfyUI."""

from __future__ import annotations  # so that an older Python gets as far as being told so

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

DEMO = Path(__file__).resolve().parent
FEWEST_STEPS = 4  # of less, the rows of fewer steps are the same run


@dataclass(frozen=True)
class Options:
    captions: int
    steps: int
    cfg: float
    seed: int
    out: Path
    weights: Path


def parse(arguments: list[str]) -> Options:
    """Read the command line. Exits with code 2 for a wrong option and with 1 for missing weights."""
    parser = argparse.ArgumentParser(
        prog="python3 -m demo", formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Draw the same pictures with and without BlockDance in a real ComfyUI, and compare.")
    parser.add_argument("--captions", type=_positive, default=8, help="how many captions, one picture each per arm")
    parser.add_argument("--steps", type=_steps, default=30, help=f"sampling steps, {FEWEST_STEPS} or more")
    parser.add_argument("--cfg", type=float, default=3.0, help="classifier-free guidance scale")
    parser.add_argument("--seed", type=int, default=1, help="of the first picture; the next ones count on")
    parser.add_argument("--out", type=Path, default=DEMO.parent / "demo-output", help="folder for the pictures")
    parser.add_argument("--weights", type=Path, default=DEMO / "weights" / "pixart.safetensors", help="the demo model")
    options = Options(**vars(parser.parse_args(arguments)))
    if not options.weights.is_file():
        sys.exit(f"error: no weights at {options.weights}. Give their place with --weights, or train them:\n"
                 "  python3 -m demo.host run -- -m demo.train --help")
    return options


def _steps(text: str) -> int:
    if (value := _positive(text)) < FEWEST_STEPS:
        raise argparse.ArgumentTypeError(f"{value} {'is' if value == 1 else 'are'} too few, use {FEWEST_STEPS} or more")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return value
