"""Rewards for training BlockDance-Ada: how good the picture of a run with reuse is, Q of the paper's reward."""

import importlib
import sys
from dataclasses import dataclass
from typing import Callable, Mapping, Protocol

import torch
from PIL import Image

from ..analysis.metrics import ssim

REGISTER = "BLOCKDANCE_REWARDS"  # a module's mapping of names to functions of (picture, reference, caption)


class Reward(Protocol):
    name: str

    def score(self, picture: torch.Tensor, reference: torch.Tensor, caption: str) -> float:
        """Higher is better. picture, reference: (frames, H, W, 3) in [0, 1], of the run and of the full run."""


@dataclass(frozen=True)
class SSIM:
    """Structural similarity to the full run, 1 for equal pictures. Needs nothing else."""
    name: str = "ssim"

    def score(self, picture: torch.Tensor, reference: torch.Tensor, caption: str) -> float:
        return float(ssim(*(x.movedim(-1, 1).float() for x in (picture, reference))).mean())


@dataclass(frozen=True)
class Distance:
    """Minus the root mean square difference from the full run, in percent of white: 0 for equal pictures, -1 at 40 dB
    of PSNR. Where hardly anything changes it still tells more from less; SSIM grows with its square."""
    name: str = "distance"

    def score(self, picture: torch.Tensor, reference: torch.Tensor, caption: str) -> float:
        return float(-100 * (picture.float() - reference.float()).square().mean().sqrt())


@dataclass(frozen=True)
class SquaredError:
    """Minus the square of the distance: a picture that suffers twice as much from the same reuse counts four times, so
    more of it is left to the pictures that suffer little."""
    name: str = "squared error"

    def score(self, picture: torch.Tensor, reference: torch.Tensor, caption: str) -> float:
        return -Distance().score(picture, reference, caption) ** 2


@dataclass(frozen=True)
class ClipScore:
    """How well a picture fits its caption: 2.5 * max(cosine, 0) of CLIP's embeddings (Hessel et al. 2021).

    image, text: give the embeddings (frames, D) of a picture and (1, D) of a caption.
    """
    image: Callable[[torch.Tensor], torch.Tensor]
    text: Callable[[str], torch.Tensor]
    name: str = "clip"

    def score(self, picture: torch.Tensor, reference: torch.Tensor, caption: str) -> float:
        image, text = self.image(picture).float(), self.text(caption).float()
        if image.shape[-1] != text.shape[-1]:
            raise ValueError(f"the CLIP vision model embeds in {image.shape[-1]} numbers, the text model in "
                             f"{text.shape[-1]}: load two of one kind, such as CLIP-ViT-L for both")
        return float(2.5 * torch.cosine_similarity(image, text.to(image)).clamp(min=0).mean())


@dataclass(frozen=True)
class ImageReward:
    """The reward model of the paper (Xu et al. 2023), of the Python package image-reward."""
    model: object
    name: str = "image_reward"

    @classmethod
    def load(cls) -> "ImageReward":
        """Raises ValueError, saying what is missing."""
        try:
            return cls(importlib.import_module("ImageReward").load("ImageReward-v1.0"))
        except ImportError as error:
            raise ValueError("ImageReward is not there: install the package image-reward into ComfyUI's Python, or "
                             f"choose another reward ({error})") from None
        except (OSError, RuntimeError) as error:
            raise ValueError(f"the weights of ImageReward can be neither found nor loaded: {error}") from None

    def score(self, picture: torch.Tensor, reference: torch.Tensor, caption: str) -> float:
        frames = (picture.float().clamp(0, 1) * 255).round().byte().cpu().numpy()
        scores = [self.model.score(caption, Image.fromarray(frame)) for frame in frames]
        return sum(scores) / len(scores)


@dataclass(frozen=True)
class Named:
    """A function that another pack offers: one of its modules has a mapping BLOCKDANCE_REWARDS of names to functions.

    Only what is offered so can be called; a name in a workflow imports nothing.
    """
    name: str
    function: Callable[[torch.Tensor, torch.Tensor, str], float]

    @classmethod
    def find(cls, name: str) -> "Named":
        """Raises ValueError with the names that there are."""
        offered = registered()
        if name not in offered:
            raise ValueError(f"no reward is named {name!r}; loaded packs offer {', '.join(sorted(offered)) or 'none'}")
        return cls(name, offered[name])

    def score(self, picture: torch.Tensor, reference: torch.Tensor, caption: str) -> float:
        return float(self.function(picture, reference, caption))


def registered() -> dict[str, Callable]:
    """All functions that loaded modules offer."""
    offered = (vars(module).get(REGISTER) for module in list(sys.modules.values()) if hasattr(module, "__dict__"))
    return {name: function for mapping in offered if isinstance(mapping, Mapping) for name, function in mapping.items()}
