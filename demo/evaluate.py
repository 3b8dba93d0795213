"""The acceptance test of demo weights: how many objects of held-out captions does a model draw where and as asked?

    python3 -m demo.host run -- -m demo.evaluate demo/weights/pixart.safetensors

Accepted at 90 % of the objects in the right cell and colour on the right background, and 80 % with the right shape; in
a video, in the first and in the last frame.
"""

import argparse
import sys
from pathlib import Path

import comfy.cli_args
import numpy as np
import torch

comfy.cli_args.args.cpu = not torch.cuda.is_available()  # before model_management is imported
import comfy.sample  # noqa: E402

from . import checker, model  # noqa: E402

PLACED, RIGHT = .9, .8
HELD_OUT = 20_000_000  # seed of the captions; training draws its scenes from fresh entropy


def evaluate(weights: Path, captions: int, steps: int, cfg: float, batch: int = 50) -> checker.Score:
    """Draw one picture per caption with ComfyUI's Euler sampler and check it."""
    patcher = model.load(weights)
    architecture = model.architecture_of(weights)
    task = architecture.world
    rng = np.random.default_rng(HELD_OUT)
    scenes = [task.random_scene(rng) for _ in range(captions)]
    score = checker.Score(0, 0, 0, 0)
    for first in range(0, captions, batch):
        some = scenes[first:first + batch]
        positive = model.conditioning(np.stack([task.embed(scene) for scene in some]))
        negative = model.conditioning(task.embed(None)[None])
        latent = torch.zeros(len(some), *task.LATENT)
        noise = comfy.sample.prepare_noise(latent, first)
        drawn = comfy.sample.sample(patcher, noise, steps, cfg, "euler", "simple", positive, negative, latent,
                                    disable_pbar=True, seed=first)
        score = sum(map(checker.check, model.pixels(drawn).numpy(), some), score)
    return score


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--cfg", type=float, default=3.)
    options = parser.parse_args()
    score = evaluate(options.weights, options.captions, options.steps, options.cfg)
    accepted = score.placed >= PLACED * score.objects and score.right >= RIGHT * score.objects
    print(f"{score.objects} objects: {score.placed / score.objects:.1%} in the right cell and colour, "
          f"{score.right / score.objects:.1%} with the right shape too, {score.extra} that nobody asked for: "
          f"{'accepted' if accepted else 'not accepted'}")
    return 0 if accepted else 1


if __name__ == "__main__":
    sys.exit(main())
