"""First lines in ComfyUI's Python: `python boot.py MODULE-OR-FILE [ARGUMENTS]`, with COMFYUI_PATH set.

A bare parent package stands in for the repository's root, whose `__init__.py` only ComfyUI may execute; and the root
itself stays off the path, where its folder `nodes` would hide the host's `nodes.py`.
"""

import os
import runpy
import sys
import types
from pathlib import Path

package = types.ModuleType("blockdance")
package.__path__ = [str(Path(__file__).resolve().parents[2])]
sys.modules["blockdance"] = package
sys.path[0] = os.environ["COMFYUI_PATH"]
del sys.argv[0]

import comfy.cli_args  # noqa: E402
import torch  # noqa: E402

comfy.cli_args.args.cpu = not torch.cuda.is_available()  # before model_management is imported
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
