"""The command line. Standard library only: it is read before there is a ComfyUI."""

from __future__ import annotations  # so that an older Python gets as far as being told so

import argparse
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("methods", "idle", "overhead", "scaling", "once", "storage", "loading")
MODELS = ("PixArt", "SD3", "Flux")


@dataclass(frozen=True)
class Options:
    parts: tuple[str, ...]
    models: tuple[str, ...]
    device: str
    dtype: str
    latent: tuple[int, int]
    batches: tuple[int, ...]
    steps: int
    rounds: int
    compile: bool
    publish: bool
    out: Path


def parse(arguments: list[str]) -> Options:
    """Read the command line. Exits with code 2 for a wrong option."""
    parser = argparse.ArgumentParser(
        prog="python3 -m lab.benchmarks.speed",
        description="Compare the time that reuse saves with the compute that it saves, on ComfyUI's own models at full "
                    "width with random weights, and measure what the pack itself costs. Each part that is measured "
                    "replaces what --out has of it.")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="of the parts `methods` and `idle`")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"),
                        help="of the weights; float32 on the CPU, bfloat16 on CUDA")
    parser.add_argument("--latent", nargs=2, type=_positive, metavar=("HEIGHT", "WIDTH"),
                        help="4 64 on the CPU (PixArt's positions need a mean of 33); 128 128, a picture of 1024 x "
                             "1024, on CUDA")
    parser.add_argument("--batches", nargs="+", type=_positive,
                        help="pictures a run: 1 on the CPU; 1, 2 and 4 on CUDA")
    parser.add_argument("--steps", type=_positive, default=20,
                        help="of the parts `methods` and `idle`, 2 or more (default: %(default)s)")
    parser.add_argument("--rounds", type=_positive, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("--compile", action="store_true", help="sample through torch.compile")
    parser.add_argument("--publish", action="store_true", help="also write docs/internals/speed.md")
    parser.add_argument("--out", type=Path, default=ROOT / "speed-output", help="folder for measurements and report")
    given = parser.parse_args(arguments)
    if given.steps < 2:
        parser.error(f"argument --steps: {given.steps} is too small, use 2 or more: the first is not timed")
    dtype, latent, batches = ("float32", (4, 64), (1,)) if given.device == "cpu" else (
        "bfloat16", (128, 128), (1, 2, 4))
    return Options(
        tuple(given.parts), tuple(given.models), given.device, given.dtype or dtype, tuple(given.latent or latent),
        tuple(given.batches or batches), given.steps, given.rounds, given.compile, given.publish, given.out.resolve())


def _positive(text: str) -> int:
    if not text.isdecimal() or (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return value
