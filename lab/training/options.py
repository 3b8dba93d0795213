"""The command line. Standard library only: it is read before there is a ComfyUI."""

from __future__ import annotations  # so that an older Python gets as far as being told so

import argparse
from dataclasses import dataclass
from pathlib import Path

REWARDS = ("ssim", "distance", "squared error", "objects right", "image_reward")


@dataclass(frozen=True)
class Options:
    model: Path
    clip: list[Path]
    clip_type: str
    vae: Path | None
    captions: Path | None
    random: int
    out: Path
    width: int
    height: int
    negative: str
    reward: str
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    rho: float
    borders: list[int]
    network: str
    quality_weight: float
    learning_rate: float
    batch: int
    epochs: int
    rollouts: int
    predicted_rollouts: bool
    baseline: str
    validation: float
    patience: int
    entropy: float
    start_interval: int
    seed: int
    processes: int


def parse(arguments: list[str]) -> Options:
    """Read the command line. Exits with code 2 for a wrong option."""
    parser = argparse.ArgumentParser(
        prog="python3 -m lab.training", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a policy of BlockDance-Ada. An interrupted training goes on with the same command.\n"
                    "Several machines: set COMFYUI_PATH and start, on each,\n"
                    "  torchrun ... lab/benchmarks/boot.py blockdance.lab.training.run OPTIONS")
    model = parser.add_argument_group("what is sampled")
    model.add_argument("--model", type=Path, required=True, metavar="FILE",
                       help="a checkpoint, a diffusion model (then with --clip and --vae), or weights of the demo")
    model.add_argument("--clip", type=Path, nargs="+", default=[], metavar="FILE", help="text encoders")
    model.add_argument("--clip-type", default="stable_diffusion", help="as in ComfyUI's CLIP loaders, such as pixart")
    model.add_argument("--vae", type=Path, metavar="FILE")
    model.add_argument("--captions", type=Path, metavar="FILE", help=".txt, .csv or .jsonl")
    model.add_argument("--random", type=int, default=0, metavar="COUNT", help="for the demo: so many random captions")
    model.add_argument("--negative", default="", help="the negative prompt (default: empty)")
    model.add_argument("--width", type=int, default=1024, help="pixels; the demo has its own (default: %(default)s)")
    model.add_argument("--height", type=int, default=1024)
    model.add_argument("--steps", type=int, default=30)
    model.add_argument("--cfg", type=float, default=4.)
    model.add_argument("--sampler", default="euler")
    model.add_argument("--scheduler", default="simple")
    policy = parser.add_argument_group("what is trained; the defaults are the paper's")
    policy.add_argument("--out", type=Path, required=True, metavar="FILE",
                        help="the policy, .safetensors; checkpoint, latents and curve are written beside it")
    policy.add_argument("--rho", type=float, default=.4, help="share of the sampling before the decisions")
    policy.add_argument("--borders", type=int, nargs="+", default=[-1], metavar="BLOCK",
                        help="deepest reused block; several to choose from (default: three quarters of the depth)")
    policy.add_argument("--network", choices=("full", "small"), default="full")
    policy.add_argument("--reward", choices=REWARDS, default="ssim", help="(default: %(default)s)")
    policy.add_argument("--quality-weight", type=float, default=2., help="lambda of C + lambda * Q")
    policy.add_argument("--learning-rate", type=float, default=1e-5)
    policy.add_argument("--batch", type=int, default=16)
    policy.add_argument("--epochs", type=int, default=100)
    policy.add_argument("--rollouts", type=int, default=1, help="for each caption of a batch")
    policy.add_argument("--predicted-rollouts", action="store_true",
                        help="estimate all rollouts of a caption from one run instead of sampling each (with euler)")
    policy.add_argument("--baseline", choices=("none", "mean", "greedy"), default="none")
    policy.add_argument("--validation", type=float, default=.1, help="share of the captions that only judge")
    policy.add_argument("--patience", type=int, default=10, help="epochs without a better judgement, 0 = any number")
    policy.add_argument("--entropy", type=float, default=0.,
                        help="worth of a nat of uncertainty in the unit of the reward, so that more is tried")
    policy.add_argument("--start-interval", type=int, default=1, help="begin at BlockDance with this N")
    policy.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1, help="on this machine; they share the rollouts")
    given = parser.parse_args(arguments)
    if given.out.suffix != ".safetensors":  # checkpoint and latents share the rest of its name
        parser.error(f"--out is {given.out}; give it the ending .safetensors")
    if (given.captions is None) == (given.random == 0):
        parser.error("give --captions FILE, or --random COUNT for the demo")
    return Options(**vars(given))
