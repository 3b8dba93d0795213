"""Weights that were never trained, for tests of a demo model that need no picture."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from blockdance.demo.architectures import PIXART
from blockdance.demo.model import build

UNKNOWN_DEPTH = 8  # blocks of a model that nobody has measured


def write_random_weights(path: Path, depth: int = PIXART.config["depth"], seed: int = 0) -> None:
    """A weights file of the demo's model, or of one with another number of blocks."""
    config = PIXART.config | {"depth": depth}
    generator = torch.Generator().manual_seed(seed)
    state = {name: torch.randn(value.shape, generator=generator) * .1
             for name, value in build(PIXART, config).diffusion_model.state_dict().items()}
    save_file(state, path, {"config": json.dumps(config)})
