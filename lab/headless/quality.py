"""How far pictures and videos are from their reference: PSNR and SSIM, means over pictures or frames.

Needs what ComfyUI's Python has: Pillow, torch, kornia, and PyAV for videos.
"""

import io
import math
from dataclasses import dataclass
from pathlib import PurePath
from statistics import fmean

import av
import numpy as np
import torch
from PIL import Image, ImageSequence

from blockdance_core.analysis import metrics

from .client import File

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
VIDEOS = (".mp4", ".webm", ".mov", ".mkv", ".avi")


def frames(file: File) -> list[np.ndarray]:
    """The picture, or the frames of an animation or video, each (H, W, 3) in [0, 1]; none for other files."""
    suffix = PurePath(file.name).suffix.lower()
    if suffix in PICTURES:
        with Image.open(io.BytesIO(file.data)) as image:
            return [_scaled(np.asarray(frame.convert("RGB"))) for frame in ImageSequence.Iterator(image)]
    if suffix in VIDEOS:
        with av.open(io.BytesIO(file.data)) as video:
            return [_scaled(frame.to_ndarray(format="rgb24")) for frame in video.decode(video=0)]
    return []


@dataclass(frozen=True)
class Quality:
    """How close some pictures are to others.

    psnr: mean in dB over the pictures that differ, as an equal one would make it infinite; infinite where none differs.
    ssim: mean over all; pictures: how many there are; equal: how many of them are equal to their reference.
    Where they cannot be compared, psnr and ssim are not a number, and no pictures are counted.
    """
    psnr: float
    ssim: float
    pictures: int
    equal: int


def compare(pictures: list[np.ndarray], reference: list[np.ndarray]) -> Quality:
    if not pictures or [p.shape for p in pictures] != [r.shape for r in reference]:
        return Quality(math.nan, math.nan, 0, 0)
    decibels = [psnr(p, r) for p, r in zip(pictures, reference)]
    return Quality(metrics.mean_psnr(decibels), fmean(map(ssim, pictures, reference)), len(pictures),
                   sum(map(math.isinf, decibels)))


def psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of (H, W, 3) in [0, 1], infinite for identical pictures."""
    return metrics.psnr(_tensor(picture), _tensor(reference)).item()


def ssim(picture: np.ndarray, reference: np.ndarray) -> float:
    """Mean structural similarity of (H, W, 3) in [0, 1], 1 for identical pictures."""
    return metrics.ssim(_tensor(picture), _tensor(reference)).item()


def _scaled(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / 255


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)  # (1, 3, H, W)
