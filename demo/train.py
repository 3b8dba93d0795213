"""Train a demo model by flow matching, with ComfyUI's own model classes: on shapes world, or on picture world.

    python -m demo.host run -- -m demo.train flux --minutes 120 --state /some/folder
    python -m demo.host run -- -m demo.train pixart_pictures --device cuda --batch 512 --minutes 8 --state /some/folder

Depth grows while it trains, from an eighth of the blocks (a quarter if that is no whole number): a block is split in
two that each do half of its work, so the function hardly changes, the early steps cost little, and the work ends up
spread over all blocks.
Interrupt it whenever you like; the same command goes on from the last checkpoint. The averaged weights are written to
`<state>/<architecture>.safetensors` (bf16) with each checkpoint, and `<architecture>.csv` keeps the curve: step,
seconds, blocks, loss.
"""

import argparse
import csv
import importlib
import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import comfy.cli_args
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import amp

comfy.cli_args.args.cpu = True  # before model_management is imported, which otherwise looks for a GPU
import comfy.model_management  # noqa: E402

from . import growth, host, model, picture_world  # noqa: E402
from .architectures import OF_ALL_WORLDS, Architecture  # noqa: E402
from .muon import Muon  # noqa: E402
from .text_encoder import TextEncoder  # noqa: E402

GROWTH = ((.0, 8), (.10, 4), (.25, 2), (.50, 1))  # fraction of the time budget -> what the depth is divided by
UNCONDITIONAL = .1  # captions dropped, for classifier-free guidance
AVERAGING = .998
MODULATION = ("mod.", "modulation.", "adaLN_modulation.")  # sees little but the time; AdamW learns it as fast for less


def attention(q, k, v, heads, mask=None, skip_reshape=False, transformer_options=None):
    """Plain softmax attention: the CPU's fused kernel spends half of a training step in its backward pass."""
    if not skip_reshape:
        q, k, v = (x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (q, k, v))  # (B, H, T, D)
    if q.is_cuda:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)  # (B, T, H * D)


def prepare_host(architecture: Architecture) -> None:
    """Set ComfyUI up for a backward pass, in this process alone."""
    comfy.model_management.in_training = True  # rotary embeddings without the kernels that have no gradient
    for module in architecture.attention:
        importlib.import_module(module).optimized_attention = attention


@dataclass(frozen=True)
class Lessons:
    """Training pairs of a world. draw: pictures (n, 3, ...) in [-1, 1] and captions, of which 0 is the unconditional
    one; encoder: captions -> (n, TOKENS, CHANNELS); described: what goes into the metadata of the weights."""
    draw: Callable[[int], tuple[torch.Tensor, torch.Tensor]]
    encoder: torch.nn.Module
    described: dict[str, str]


def lessons_of(architecture: Architecture, device: torch.device) -> Lessons:
    """Raises emoji.EmojiError where picture world's emoji cannot be fetched."""
    world = architecture.world
    if world is not picture_world:
        rng = np.random.default_rng()
        return Lessons(lambda count: tuple(torch.from_numpy(part).to(device) for part in world.batch(rng, count)),
                       torch.nn.Identity(), {})
    pictures = picture_world.World.load(host.managed_places() / "emoji", device)
    words = pictures.vocabulary.words

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        batch = pictures.batch(count)
        return batch.pictures, batch.tokens
    return Lessons(draw, TextEncoder(words, picture_world.TOKENS, picture_world.CHANNELS).to(device),
                   {"words": json.dumps(words), "names": json.dumps(pictures.names)})


def optimisers(architecture: Architecture, transformer: torch.nn.Module, encoder: torch.nn.Module
               ) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for the rest."""
    matrices, rest = [], list(encoder.parameters())
    for name, parameter in transformer.named_parameters():
        in_block = name.split(".")[0] in architecture.depths and not any(part in name for part in MODULATION)
        (matrices if in_block and parameter.ndim == 2 and min(parameter.shape) > 6 else rest).append(parameter)
    return [Muon(matrices, lr=0),
            torch.optim.AdamW(rest, lr=0, betas=(.9, .95), weight_decay=0)]


def learning_rate(progress: float, steps_since_growth: int, peak: float) -> float:
    """Short warm-up after each growth, constant, then a linear descent over the last 40 % of the budget."""
    return peak * min(1, (1 + steps_since_growth) / 50) * min(1, max(.02, (1 - progress) / .4))


class CopyingLayerNorm(torch.nn.LayerNorm):
    """LayerNorm that keeps its own input: Flux's blocks add to theirs in place, which a backward pass forbids."""

    def forward(self, x):
        return super().forward(x.clone())


OPERATIONS = SimpleNamespace(**{**vars(torch.nn), "LayerNorm": CopyingLayerNorm})


def compiled(forward):
    """A block's forward as one graph that all blocks of its class share: nothing in it tells one from the other, and
    inputs are copied, which costs nothing in a graph, instead of being added to in place."""
    def copying(block, *tensors, transformer_options=None, **named):
        return forward(block, *map(_copied, tensors), **{name: _copied(value) for name, value in named.items()})
    return torch.compile(copying)


def _copied(value):
    return value.clone() if isinstance(value, torch.Tensor) else value


class Trainer:
    def __init__(self, architecture: Architecture, arguments: argparse.Namespace):
        self.architecture = architecture
        self.state: Path = arguments.state
        self.arguments = arguments
        self.step = 0
        self.seconds = 0.
        self.divisor = next(divisor for _, divisor in GROWTH if architecture.divides_into(divisor))
        self.device = torch.device(arguments.device)
        self.lessons = lessons_of(architecture, self.device)
        checkpoint = self.state / "checkpoint.pt"
        if checkpoint.exists():
            saved = torch.load(checkpoint, map_location=self.device, weights_only=True)
            self.step, self.seconds, self.divisor = saved["step"], saved["seconds"], saved["divisor"]
            self._build(saved["weights"], saved["average"])
            for optimiser, values in zip(self.optimisers, saved["optimisers"]):
                optimiser.load_state_dict(values)
            self.grown_at = saved["grown_at"]
            self._cut_curve()
        elif arguments.start is not None:
            self.divisor = 1
            weights = {name: value.float().to(self.device) for name, value in load_file(arguments.start).items()}
            self._build(weights, None)
        else:
            self._build(None, None)

    @property
    def curve(self) -> Path:
        return self.state / f"{self.architecture.name}.csv"

    def _cut_curve(self) -> None:
        """Forget what an interrupted run logged after the checkpoint that this one goes on from."""
        if self.curve.exists():
            rows = self.curve.read_text().splitlines(keepends=True)
            self.curve.write_text("".join(row for row in rows if int(row.split(",")[0]) <= self.step))

    @property
    def progress(self) -> float:
        return min(1., self.seconds / (60 * self.arguments.minutes))

    @property
    def config(self) -> dict:
        return self.architecture.with_depth_divided(self.divisor)

    @property
    def depth(self) -> int:
        return sum(self.config[entry] for entry in self.architecture.depths.values())

    def _new_transformer(self) -> torch.nn.Module:
        self.host_model = model.build(self.architecture, self.config, OPERATIONS)
        transformer = self.host_model.diffusion_model.requires_grad_(True)  # not train(): captions are dropped here
        growth.initialise(self.architecture, transformer)
        self.host_model.model_sampling.to(self.device)
        return transformer.to(self.device)

    def _build(self, weights: growth.Weights | None, average: growth.Weights | None) -> None:
        self.grown_at = self.step
        self.transformer = self._new_transformer()
        if weights is not None:
            self.transformer.load_state_dict(weights, strict=False)
            self.lessons.encoder.load_state_dict(
                {name.removeprefix(model.TEXT): weights[name] for name in weights if name.startswith(model.TEXT)})
        source = average or self.weights()
        self.average = {name: value.detach().clone() for name, value in source.items()}
        self.optimisers = optimisers(self.architecture, self.transformer, self.lessons.encoder)
        if self.arguments.compile:
            for stack in self.architecture.depths:
                blocks = getattr(self.transformer, stack)
                forward = compiled(type(blocks[0]).forward)
                for block in blocks:
                    block.forward = partial(forward, block)

    def weights(self) -> growth.Weights:
        """The transformer's, and those of the text encoder."""
        text = self.lessons.encoder.state_dict()
        return self.transformer.state_dict() | {model.TEXT + name: value for name, value in text.items()}

    def grow(self) -> None:
        wanted = [divisor for start, divisor in GROWTH if self.progress >= start][-1]
        while self.divisor > wanted:
            weights = self.weights()
            self.divisor //= 2
            deeper = self._new_transformer().state_dict() | {
                name: value for name, value in weights.items() if name.startswith(model.TEXT)}
            self._build(growth.split_blocks(self.architecture, weights, deeper),
                        growth.split_blocks(self.architecture, self.average, deeper))

    def train_step(self) -> torch.Tensor:
        pictures, captions = self.lessons.draw(self.arguments.batch)
        captions[torch.rand(len(captions), device=self.device) < UNCONDITIONAL] = 0
        noise = torch.randn_like(pictures)
        sampling = self.host_model.model_sampling
        sigma = sampling.sigma(sampling.timestep(torch.sigmoid(torch.randn(len(pictures), device=self.device))))
        noisy = torch.lerp(pictures, noise, sigma.view(-1, *[1] * (pictures.ndim - 1)))
        context = self.lessons.encoder(captions)
        with amp.autocast(self.device.type, dtype=torch.bfloat16):
            velocity = self.transformer(model.beside(self.host_model, noisy), sampling.timestep(sigma),
                                        context=context, y=model.pooled(context))
        loss = (velocity.float() - (noise - pictures)).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.transformer.parameters(), 1.)
        rate = learning_rate(self.progress, self.step - self.grown_at, self.arguments.learning_rate)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()
        self.step += 1
        keep = min(AVERAGING, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            now = self.weights()
            torch._foreach_lerp_([self.average[name] for name in now], list(now.values()), 1 - keep)
        return loss.detach()

    def save(self) -> None:
        partial = self.state / "checkpoint.partial"
        torch.save({
            "step": self.step, "seconds": self.seconds, "divisor": self.divisor, "grown_at": self.grown_at,
            "weights": self.weights(), "average": self.average,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers]}, partial)
        partial.replace(self.state / "checkpoint.pt")
        save_file({name: value.to(torch.bfloat16).contiguous() for name, value in self.average.items()},
                  self.state / f"{self.architecture.name}.safetensors",
                  {"architecture": self.architecture.name, "config": json.dumps(self.config), "steps": str(self.step)}
                  | self.lessons.described)

    def run(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        clock = time.process_time if self.device.type == "cpu" else time.monotonic  # a GPU is waited for
        saved, started = time.monotonic(), clock()
        losses: list[torch.Tensor] = []
        while self.progress < 1:
            self.grow()
            losses.append(self.train_step())
            now = clock()
            self.seconds, started = self.seconds + now - started, now
            if self.step % 50 == 0:
                row = (self.step, round(self.seconds), self.depth, round(float(torch.stack(losses).mean()), 5))
                losses.clear()
                with self.curve.open("a", newline="") as log:
                    csv.writer(log).writerow(row)
                print("step %d  %d s  %d blocks  loss %.5f" % row, flush=True)
            if time.monotonic() - saved > 60 * self.arguments.save_minutes:
                self.save()
                saved = time.monotonic()
        self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", choices=sorted(OF_ALL_WORLDS))
    parser.add_argument("--state", type=Path, required=True, help="folder for checkpoint, weights and curve")
    parser.add_argument("--start", type=Path, help="weights of an earlier training, at full depth, to go on with "
                        "where the folder has no checkpoint yet")
    parser.add_argument("--minutes", type=float, default=120,
                        help="of processor time in all (of a GPU: by the clock), earlier runs included")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--save-minutes", type=float, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_float32_matmul_precision("high")
    architecture = OF_ALL_WORLDS[arguments.architecture]
    prepare_host(architecture)
    Trainer(architecture, arguments).run()


if __name__ == "__main__":
    main()
