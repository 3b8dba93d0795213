"""The main job's command line. Standard library only: it is read before there is a ComfyUI."""

from __future__ import annotations  # so that an older Python gets as far as being told so

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

DEMO = Path(__file__).resolve().parent
FEWEST_STEPS = 4  # of less, the rows of fewer steps are the same run


@dataclass(frozen=True)
class World:
    """models: their weights by name, the one that is taken first; the others: what is taken where nothing is said."""
    models: dict[str, str]
    captions: int
    cfg: float


WORLDS = {
    "pictures": World({"flux": "flux_pictures.safetensors", "pixart": "pixart_pictures.safetensors"}, 4, 4.),
    "shapes": World({"pixart": "pixart.safetensors", "flux": "flux.safetensors", "sd3": "sd3.safetensors"}, 8, 3.)}
MODELS = tuple(dict.fromkeys(name for world in WORLDS.values() for name in world.models))


@dataclass(frozen=True)
class Options:
    world: str  # of WORLDS
    captions: int
    steps: int
    cfg: float
    seed: int
    out: Path
    weights: Path


def parse(arguments: list[str]) -> Options:
    """Read the command line. Exits with code 2 for a wrong option, and with 1 for missing weights and for a folder
    that cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python3 -m demo", description="Draw the same pictures with and without BlockDance in a real ComfyUI, and "
        "compare: how long they take, and how far they are from those of full sampling.")
    parser.add_argument("--world", choices=WORLDS, default="pictures", help="what is drawn: emoji on grounds, or "
                        "scenes of shapes, which can be checked exactly (default: pictures)")
    parser.add_argument("--model", choices=MODELS, help=f"which of the demo's models draws ({_defaults('models')})")
    parser.add_argument("--captions", type=_positive, help="how many captions, one picture each in every way of "
                        f"sampling ({_defaults('captions')})")
    parser.add_argument("--steps", type=_steps, default=30,
                        help=f"sampling steps, {FEWEST_STEPS} or more (default: %(default)s)")
    parser.add_argument("--cfg", type=float, help=f"classifier-free guidance scale ({_defaults('cfg')})")
    parser.add_argument("--seed", type=int, default=1,
                        help="of the first picture; the next ones count on (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=DEMO.parent / "demo-output",
                        help="folder for the pictures (default: %(default)s)")
    parser.add_argument("--weights", type=Path, help="a file of `demo.train` instead of one of the demo's models")
    given = parser.parse_args(arguments)
    world = WORLDS[given.world]
    if given.model is not None and given.model not in world.models:
        parser.error(f"there is no {given.model} for --world {given.world}; it has {', '.join(world.models)}")
    weights = given.weights or DEMO / "weights" / world.models[given.model or next(iter(world.models))]
    options = Options(given.world, given.captions or world.captions, given.steps,
                      world.cfg if given.cfg is None else given.cfg, given.seed, given.out, weights)
    if not options.weights.is_file():
        sys.exit(f"error: no weights at {options.weights}. Give their place with --weights, or train them:\n"
                 "  python3 -m demo.host run -- -m demo.train --help")
    _check_writable(options.out)
    return options


def _defaults(entry: str) -> str:
    """What is taken in each world where nothing is said."""
    values = {name: getattr(world, entry) for name, world in WORLDS.items()}
    return "default: " + ", ".join(
        f"{next(iter(value)) if isinstance(value, dict) else value} for {name}" for name, value in values.items())


def _check_writable(folder: Path) -> None:
    """Make the folder, and exit where nothing can be written into it: now, and not once the pictures are drawn."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        sys.exit(f"error: cannot write to {folder}: {error.strerror}. Name another folder with --out")


def _steps(text: str) -> int:
    if (value := _positive(text)) < FEWEST_STEPS:
        raise argparse.ArgumentTypeError(f"{value} {'is' if value == 1 else 'are'} too few, use {FEWEST_STEPS} or more")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return value
