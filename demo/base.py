"""The folder that a demo ComfyUI lives in: both packs linked in, the demo's weights, and nothing of the user's."""

import shutil
from pathlib import Path

DEMO = Path(__file__).resolve().parent
# Custom-node folder -> the folder of this repository that it shows
PACKS = {"blockdance": DEMO.parent, "blockdance_demo": DEMO}
WEIGHTS_NAME = "pixart.safetensors"


def make_base(folder: Path, weights: Path | None = None, name: str = WEIGHTS_NAME) -> Path:
    """Fill an existing folder for `comfyui_server(base=...)`; the loaders know `weights` by this name."""
    for part in ("models/shapes_world", "custom_nodes", "input", "output", "user"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for pack, source in PACKS.items():
        link_folder(source, folder / "custom_nodes" / pack)
    if weights is not None:
        shutil.copyfile(weights, folder / "models" / "shapes_world" / name)
    return folder


def link_folder(source: Path, target: Path) -> None:
    """Show `source` at `target`; a copy where the system does not let us make links."""
    try:
        target.symlink_to(source, target_is_directory=True)
    except OSError:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*", "__pycache__", "demo-output"))
