"""Train the demo PixArt on shapes world by flow matching, with ComfyUI's own model class.

    python -m demo.host run -m demo.train --minutes 120 --state /some/folder

Depth grows while it trains (7 -> 14 -> 28 blocks): a block is split in two that each do half of its work, so the
function hardly changes, the early steps cost a quarter, and the work ends up spread over all 28 blocks.
Interrupt it whenever you like; the same command goes on from the last checkpoint. The averaged weights are written to
`<state>/pixart.safetensors` (bf16) with each checkpoint, and `log.csv` keeps the curve.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import comfy.cli_args
import numpy as np
import torch
from safetensors.torch import save_file

comfy.cli_args.args.cpu = True  # before model_management is imported, which otherwise looks for a GPU
import comfy.ldm.pixart.blocks  # noqa: E402

from . import model as demo_model  # noqa: E402
from . import world  # noqa: E402

GROWTH = ((.0, 7), (.30, 14), (.55, 28))  # fraction of the time budget -> depth
UNCONDITIONAL = .1  # captions dropped, for classifier-free guidance
AVERAGING = .998


def attention(q, k, v, heads, mask=None, skip_reshape=False):
    """Plain softmax attention: the CPU's fused kernel spends half of a training step in its backward pass."""
    if not skip_reshape:
        q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # (B, H, T, D)
    weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)  # (B, T, H * D)


def initialise(model: torch.nn.Module) -> None:
    """DiT's initialisation: every block starts as the identity, the output as zero."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and "scale_shift_table" not in name:
            torch.nn.init.xavier_uniform_(parameter.view(parameter.shape[0], -1))
        elif name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    for layer in (model.t_embedder.mlp[0], model.t_embedder.mlp[2]):
        torch.nn.init.normal_(layer.weight, std=.02)
    for block in model.blocks:
        torch.nn.init.zeros_(block.cross_attn.proj.weight)
        torch.nn.init.normal_(block.scale_shift_table, std=.02)
    torch.nn.init.zeros_(model.t_block[1].weight)
    torch.nn.init.zeros_(model.final_layer.linear.weight)


def split_blocks(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of a model twice as deep that computes nearly the same: each block twice, each at half strength."""
    deeper = {}
    for name, value in weights.items():
        if not name.startswith("blocks."):
            deeper[name] = value
            continue
        _, index, rest = name.split(".", 2)
        if rest.startswith(("attn.proj.", "cross_attn.proj.", "mlp.fc2.")):
            value = value / 2
        for half in (0, 1):
            deeper[f"blocks.{2 * int(index) + half}.{rest}"] = value.clone()
    return deeper


def optimisers(model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for the rest."""
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2 and min(p.shape) > 6]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [torch.optim.Muon(matrices, lr=0, weight_decay=0, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, lr=0, betas=(.9, .95), weight_decay=0)]


def learning_rate(progress: float, steps_since_growth: int, peak: float) -> float:
    """Short warm-up after each growth, constant, then a linear descent over the last 40 % of the budget."""
    return peak * min(1, (1 + steps_since_growth) / 50) * min(1, max(.02, (1 - progress) / .4))


class Trainer:
    def __init__(self, state: Path, arguments: argparse.Namespace):
        self.state = state
        self.arguments = arguments
        self.step = 0
        self.seconds = 0.
        self.depth = 0
        self.rng = np.random.default_rng()
        checkpoint = state / "checkpoint.pt"
        if checkpoint.exists():
            saved = torch.load(checkpoint, weights_only=True)
            self.step, self.seconds = saved["step"], saved["seconds"]
            self._build(saved["depth"], saved["weights"], saved["average"])
            for optimiser, values in zip(self.optimisers, saved["optimisers"]):
                optimiser.load_state_dict(values)
            self.grown_at = saved["grown_at"]
        else:
            self._build(GROWTH[0][1], None, None)

    @property
    def progress(self) -> float:
        return min(1., self.seconds / (60 * self.arguments.minutes))

    def _build(self, depth: int, weights: dict | None, average: dict | None) -> None:
        self.depth, self.grown_at = depth, self.step
        self.model = demo_model.build(demo_model.CONFIG | {"depth": depth}, operations=torch.nn)
        if weights is None:
            initialise(self.model)
        else:
            self.model.load_state_dict(weights, strict=False)
        source = average or self.model.state_dict()
        self.average = {name: value.detach().clone() for name, value in source.items()}
        self.optimisers = optimisers(self.model)
        self.model.train()
        if self.arguments.compile:
            torch._dynamo.config.recompile_limit = 2 * depth  # one graph a block, beyond 8 of which it would give up
            for block in self.model.blocks:
                block.forward = torch.compile(block.forward)

    def grow(self) -> None:
        wanted = [depth for start, depth in GROWTH if self.progress >= start][-1]
        while self.depth < wanted:
            weights, average = split_blocks(self.model.state_dict()), split_blocks(self.average)
            self._build(2 * self.depth, weights, average)

    def train_step(self) -> float:
        pictures, captions = world.batch(self.rng, self.arguments.batch)
        pictures, captions = torch.from_numpy(pictures), torch.from_numpy(captions)
        captions[torch.rand(len(captions)) < UNCONDITIONAL] = 0
        noise = torch.randn_like(pictures)
        sigma = torch.sigmoid(torch.randn(len(pictures)))
        noisy = torch.lerp(pictures, noise, sigma.view(-1, 1, 1, 1))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            velocity = self.model(noisy, sigma * 1000, captions.unsqueeze(1))
        loss = (velocity.float() - (noise - pictures)).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.)
        rate = learning_rate(self.progress, self.step - self.grown_at, self.arguments.learning_rate)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()
        self.step += 1
        keep = min(AVERAGING, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - keep)
        return loss.item()

    def save(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        partial = self.state / "checkpoint.partial"
        torch.save({
            "step": self.step, "seconds": self.seconds, "depth": self.depth, "grown_at": self.grown_at,
            "weights": self.model.state_dict(), "average": self.average,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers]}, partial)
        partial.replace(self.state / "checkpoint.pt")
        config = json.dumps(demo_model.CONFIG | {"depth": self.depth})
        save_file({name: value.to(torch.bfloat16).contiguous() for name, value in self.average.items()},
                  self.state / "pixart.safetensors", {"config": config, "steps": str(self.step)})

    def run(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        started = saved = time.monotonic()
        losses = []
        while self.progress < 1:
            self.grow()
            losses.append(self.train_step())
            now = time.monotonic()
            self.seconds, started = self.seconds + now - started, now
            if self.step % 50 == 0:
                row = (self.step, round(self.seconds), self.depth, round(float(np.mean(losses)), 5))
                losses.clear()
                with (self.state / "log.csv").open("a", newline="") as log:
                    csv.writer(log).writerow(row)
                print("step %d  %d s  depth %d  loss %.5f" % row, flush=True)
            if now - saved > 60 * self.arguments.save_minutes:
                self.save()
                saved = now
        self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="folder for checkpoint, weights and curve")
    parser.add_argument("--minutes", type=float, default=120, help="training time in all, earlier runs included")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--save-minutes", type=float, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    comfy.ldm.pixart.blocks.optimized_attention = attention
    Trainer(arguments.state, arguments).run()


if __name__ == "__main__":
    main()
