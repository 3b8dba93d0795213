"""Where policies of BlockDance-Ada are."""

import os
from pathlib import Path

import comfy.ops
import folder_paths
from comfy_api.latest import io

from ..blockdance_core.ada.policy_file import SUFFIX, PolicyError, PolicyFile, read
from ..blockdance_core.files import Files

FOLDER = "blockdance_ada"  # below models/
Policy = io.Custom("BLOCKDANCE_ADA_POLICY")
Reward = io.Custom("BLOCKDANCE_REWARD")


def register() -> None:
    """Make the folder known, so that extra_model_paths.yaml may add others."""
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def files() -> Files:
    return Files(tuple(map(Path, folder_paths.get_folder_paths(FOLDER))), SUFFIX, "policy", PolicyError)


def load(name: str) -> PolicyFile:
    """The policy in a file of this name, its weights moved to where it is asked by ComfyUI. Raises PolicyError."""
    return read(files().find(name), comfy.ops.manual_cast)
