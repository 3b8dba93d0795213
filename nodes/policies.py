"""Where policies of BlockDance-Ada are."""

import os
from pathlib import Path

import comfy.ops
import folder_paths
from comfy_api.latest import io

from ..blockdance_core.ada.policy_file import BUNDLED, SUFFIX, PolicyError, PolicyFile, read

FOLDER = "blockdance_ada"  # below models/
Policy = io.Custom("BLOCKDANCE_ADA_POLICY")
Reward = io.Custom("BLOCKDANCE_REWARD")


def register() -> None:
    """Make the folder known, so that extra_model_paths.yaml may add others."""
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def folders() -> list[Path]:
    """New policies go to the first."""
    return [*map(Path, folder_paths.get_folder_paths(FOLDER)), BUNDLED]


def names() -> list[str]:
    return sorted({path.name for folder in folders() for path in folder.glob(f"*{SUFFIX}")})


def find(name: str) -> Path:
    """Raises PolicyError."""
    for folder in folders():
        path = folder / name
        if path.name == name and path.suffix == SUFFIX and path.is_file():
            return path
    raise PolicyError(f"there is no policy {name!r}; there are {', '.join(names()) or 'none'}")


def load(name: str) -> PolicyFile:
    """The policy in a file of this name, its weights moved to where it is asked by ComfyUI. Raises PolicyError."""
    return read(find(name), comfy.ops.manual_cast)
