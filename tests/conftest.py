"""Makes the pack importable as `blockdance`, and ComfyUI importable for the tests that need it.

The pack's root has an `__init__.py` that only ComfyUI may execute, and a folder `nodes` that would hide the host's
`nodes.py`; so a bare parent package stands in for the root and the root never enters `sys.path`.
"""

import os
import sys
import types
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent

# The demo and the command line are started from the root and import the last two by these names
for name, folder in (("blockdance", ROOT), ("lab", ROOT / "lab"), ("blockdance_core", ROOT / "blockdance_core")):
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package

if "COMFYUI_PATH" in os.environ:
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    import comfy.cli_args
    comfy.cli_args.args.cpu = not torch.cuda.is_available()
    comfy.cli_args.args.use_pytorch_cross_attention = True
