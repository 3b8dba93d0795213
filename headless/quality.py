"""How far pictures and videos are from their reference: PSNR and SSIM, the mean over pictures or frames.

Needs what ComfyUI's Python has: Pillow, torch, kornia, and PyAV for videos.
"""

import io
import math
from pathlib import PurePath
from statistics import fmean

import av
import numpy as np
import torch
from kornia.metrics import psnr as kornia_psnr
from kornia.metrics import ssim as kornia_ssim
from PIL import Image, ImageSequence

from .client import File

SSIM_WINDOW = 11  # pixels, as in the paper that introduced SSIM
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


def compare(pictures: list[np.ndarray], reference: list[np.ndarray]) -> tuple[float, float]:
    """Mean PSNR in dB, infinite for equal pictures, and mean SSIM; not a number where they cannot be compared."""
    if not pictures or [p.shape for p in pictures] != [r.shape for r in reference]:
        return math.nan, math.nan
    pairs = list(zip(pictures, reference))
    return fmean(psnr(p, r) for p, r in pairs), fmean(ssim(p, r) for p, r in pairs)


def psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of (H, W, 3) in [0, 1], infinite for identical pictures."""
    return kornia_psnr(_tensor(picture), _tensor(reference), 1.).item()


def ssim(picture: np.ndarray, reference: np.ndarray) -> float:
    """Mean structural similarity of (H, W, 3) in [0, 1], 1 for identical pictures."""
    return kornia_ssim(_tensor(picture), _tensor(reference), SSIM_WINDOW).mean().item()


def _scaled(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / 255


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)  # (1, 3, H, W)
