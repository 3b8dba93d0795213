"""What a training samples: a model with its captions, text encoder and decoder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import comfy.sd
import comfy.utils
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher

from ...blockdance_core.ada.captions import Caption, read
from ...blockdance_core.ada.rewards import SSIM, Distance, ImageReward, Named, Reward, SquaredError
from .options import Options

DEMO_SEED = 40_000_000  # of random captions; measured ones and those of the demo's training are others


@dataclass(frozen=True)
class Subject:
    model: ModelPatcher
    captions: list[Caption]
    encode: Callable[[str], list]
    decode: Callable[[torch.Tensor], torch.Tensor]
    latent: torch.Tensor


def load(options: Options) -> Subject:
    """Raises ValueError for files that do not make one."""
    captions = read(options.captions) if options.captions else []
    return _demo(options, captions) if _is_demo(options.model) else _checkpoint(options, captions)


def reward_of(name: str) -> Reward:
    """Raises ValueError where it is not to be had."""
    known = {"ssim": SSIM, "distance": Distance, "squared error": SquaredError, "image_reward": ImageReward.load}
    return known[name]() if name in known else Named.find(name)


def _is_demo(path: Path) -> bool:
    """Whether a file is one of demo/weights; other checkpoints may have a `config`, too, of another form."""
    if path.suffix != ".safetensors":
        return False
    config = (comfy.utils.load_torch_file(str(path), return_metadata=True)[1] or {}).get("config", "{}")
    return bool({"image_model", "input_size"} & json.loads(config).keys())


def _demo(options: Options, captions: list[Caption]) -> Subject:
    from ...demo import model, rewards  # noqa: F401 (rewards are found among loaded modules)
    world = model.architecture_of(options.model).world
    rng = np.random.default_rng(DEMO_SEED)
    captions = captions or [Caption(world.random_scene(rng).caption()) for _ in range(options.random)]

    def encode(text: str) -> list:
        return model.conditioning(world.embed(world.parse_caption(text) if text else None)[None])
    return Subject(model.load(options.model), captions, encode, lambda latent: model.pixels(latent),
                   torch.zeros(1, *world.LATENT))


def _checkpoint(options: Options, captions: list[Caption]) -> Subject:
    if not captions:
        raise ValueError("--random is for the demo's models; give --captions FILE")
    if bool(options.clip) != bool(options.vae):
        raise ValueError("give --clip and --vae together, for a diffusion model, or neither, for a whole checkpoint")
    if options.clip and options.vae:
        if options.clip_type.upper() not in comfy.sd.CLIPType.__members__:
            raise ValueError(f"there is no clip type {options.clip_type}; use one of "
                             f"{', '.join(comfy.sd.CLIPType.__members__).lower()}")
        model = comfy.sd.load_diffusion_model(str(options.model))
        clip = comfy.sd.load_clip([str(path) for path in options.clip],
                                  clip_type=comfy.sd.CLIPType[options.clip_type.upper()])
        vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(options.vae)))
    else:
        model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(options.model))
        if None in (model, clip, vae):
            raise ValueError(f"{options.model.name} is no whole checkpoint; give --clip and --vae, too")
    form = model.get_model_object("latent_format")
    side = vae.spacial_compression_encode()
    shape = [1, form.latent_channels, options.height // side, options.width // side]
    if form.latent_dimensions == 3:
        shape.insert(2, 1)
    return Subject(model, captions, lambda text: clip.encode_from_tokens_scheduled(clip.tokenize(text)), vae.decode,
                   torch.zeros(shape))
