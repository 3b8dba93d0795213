"""Which thing does a picture of picture world show? A small classifier, trained on the real drawings.

    python3 -m demo.host run -- -m demo.recognizer train --minutes 30
    python3 -m demo.host run -- -m demo.recognizer check demo/weights/pixart_pictures.safetensors

`check` is the acceptance test of a model: each picture of a held-out caption is to be told from 19 other names.
Accepted at 85 %, if the classifier is right on real renderings that it has not seen.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import amp, nn
from torch.nn import functional

from . import host, picture_world

CHOICES, DRAWS = 20, 20  # names to choose from, and how often they are drawn for a picture of a model
ACCEPTED = .85
WIDTHS = 32, 64, 128, 160
WEIGHTS = Path(__file__).with_suffix(".safetensors")
HELD_OUT = 20_000_000  # seed


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.GroupNorm(8, channels) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W)
        y = self.first(functional.silu(self.norms[0](x)))
        return x + self.second(functional.silu(self.norms[1](y)))


class Recognizer(nn.Module):
    """Pictures (B, 3, SIZE, SIZE) in [-1, 1] -> logits (B, names)."""

    def __init__(self, names: tuple[str, ...]):
        super().__init__()
        self.names = names
        layers: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), Residual(width)]
            before = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(before, len(names))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.head(functional.silu(self.body(pictures)).mean((2, 3)))

    @torch.no_grad()
    def picks(self, pictures: torch.Tensor, things: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """(B,): whether each picture is taken for its thing, among CHOICES names that are drawn by chance."""
        logits = self(pictures)  # (B, names)
        others = torch.randint(1, len(self.names), (len(things), CHOICES - 1), generator=generator)
        others = (things[:, None] + others) % len(self.names)  # never the thing itself
        return logits.gather(1, things[:, None])[:, 0] > logits.gather(1, others).max(1).values


def load(path: Path = WEIGHTS) -> Recognizer:
    """Raises OSError where there is no such file."""
    with safe_open(path, "pt") as file:
        network = Recognizer(tuple(json.loads(file.metadata()["names"])))
    network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return network.eval().requires_grad_(False)


def train(world: picture_world.World, device: torch.device, minutes: float, batch: int, weights: Path) -> None:
    """Train from scratch and write bf16 weights; the pictures are of combinations that `check` does not use."""
    network = Recognizer(world.names).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=.02)
    started, step, progress = time.monotonic(), 0, 0.
    while progress < 1:
        given = world.batch(batch, pairs=0.)
        noisy = given.pictures + torch.rand(batch, 1, 1, 1, device=device) * .2 * torch.randn_like(given.pictures)
        with amp.autocast(device.type, dtype=torch.bfloat16):
            loss = functional.cross_entropy(network(noisy).float(), given.things, label_smoothing=.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        progress = (time.monotonic() - started) / (60 * minutes)
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1., step / 100) * max(.01, 1 - progress)
        if step % 200 == 0:
            print(f"step {step}  {time.monotonic() - started:.0f} s  loss {loss.item():.3f}", flush=True)
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.to(torch.bfloat16).contiguous().cpu() for name, value in network.state_dict().items()},
              weights, {"names": json.dumps(world.names)})


def on_renderings(network: Recognizer, world: picture_world.World, count: int = 1000) -> float:
    """How often the classifier is right about real pictures that it has not seen."""
    generator = torch.Generator().manual_seed(HELD_OUT)
    given = world.batch(count, generator, held_out=True, pairs=0.)
    return network.picks(given.pictures, given.things, generator).float().mean().item()


def on_model(network: Recognizer, world: picture_world.World, weights: Path, count: int, steps: int, cfg: float
             ) -> tuple[float, torch.Tensor]:
    """How often it recognises what a model draws for held-out captions, and the pictures (B, 3, S, S)."""
    import comfy.cli_args
    comfy.cli_args.args.cpu = not torch.cuda.is_available()  # before model_management is imported
    import comfy.sample

    from . import model
    patcher, encoder = model.load(weights), model.load_text_encoder(weights)
    generator = torch.Generator().manual_seed(HELD_OUT + 1)
    given = world.batch(count, generator, held_out=True, pairs=0.)
    negative = model.conditioning_of(encoder(torch.zeros(1, picture_world.TOKENS, dtype=torch.long)))
    drawn = []
    for first in range(0, count, 25):
        positive = model.conditioning_of(encoder(given.tokens[first:first + 25]))
        latent = torch.zeros(min(25, count - first), *picture_world.LATENT)
        noise = comfy.sample.prepare_noise(latent, first)
        drawn.append(comfy.sample.sample(patcher, noise, steps, cfg, "euler", "simple", positive, negative, latent,
                                         disable_pbar=True, seed=first))
    pictures = torch.cat(drawn).clamp(-1, 1)
    picked = [network.picks(pictures, given.things, generator) for _ in range(DRAWS)]
    return torch.stack(picked).float().mean().item(), pictures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    training = actions.add_parser("train")
    training.add_argument("--minutes", type=float, default=30)
    training.add_argument("--batch", type=int, default=128)
    training.add_argument("--device", default="cpu", help="cpu or cuda")
    training.add_argument("--weights", type=Path, default=WEIGHTS)
    checking = actions.add_parser("check")
    checking.add_argument("weights", type=Path)
    checking.add_argument("--captions", type=int, default=100)
    checking.add_argument("--steps", type=int, default=30)
    checking.add_argument("--cfg", type=float, default=4.)
    options = parser.parse_args()
    cache = host.managed_places() / "emoji"
    if options.action == "train":
        device = torch.device(options.device)
        train(picture_world.World.load(cache, device), device, options.minutes, options.batch, options.weights)
        share = on_renderings(load(options.weights), picture_world.World.load(cache))
        print(f"right about {share:.1%} of unseen renderings, among {CHOICES} names")
        return 0
    network, world = load(), picture_world.World.load(cache)
    real = on_renderings(network, world)
    share, _ = on_model(network, world, options.weights, options.captions, options.steps, options.cfg)
    accepted = share >= ACCEPTED
    print(f"of {options.captions} held-out captions {share:.1%} are recognised among {CHOICES} names (real renderings: "
          f"{real:.1%}): {'accepted' if accepted else 'not accepted'}")
    return 0 if accepted else 1


if __name__ == "__main__":
    sys.exit(main())
