"""What a measurement depends on beside its settings."""

import hashlib
import os
import platform
import re
from pathlib import Path

import comfy.model_management
import torch

NAMES = "comfyui", "torch", "python", "machine", "threads", "device"


def versions(weights: tuple[Path, ...]) -> dict[str, str]:
    """Of the host, torch, Python and the weights, by name."""
    comfyui = (Path(os.environ["COMFYUI_PATH"]) / "comfyui_version.py").read_text()
    device = comfy.model_management.get_torch_device()
    return {
        "comfyui": re.search(r'"([\d.]+)"', comfyui)[1], "torch": torch.__version__,
        "python": platform.python_version(), "machine": platform.machine(), "threads": str(torch.get_num_threads()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        **{path.name: digest(path) for path in weights}}


def digest(path: Path) -> str:
    """What tells a file's content from others."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
