"""How long ComfyUI takes to load the pack, what ComfyUI and its own nodes import being there already."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from statistics import median

from .options import ROOT

_TIMES = 5
_SCRIPT = """
import importlib.util, json, sys, time
sys.path[0] = sys.argv[1]
import comfy.cli_args
comfy.cli_args.args.cpu = True
import comfy.sample, comfy.sd, comfy_api.latest, folder_paths, nodes, server
import comfy_extras.nodes_custom_sampler, comfy_extras.nodes_post_processing
before, wall, cpu = set(sys.modules), time.perf_counter(), time.process_time()
spec = importlib.util.spec_from_file_location("blockdance", sys.argv[2] + "/__init__.py",
                                              submodule_search_locations=[sys.argv[2]])
sys.modules["blockdance"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu,
                  sorted({name.split(".")[0] for name in set(sys.modules) - before} - {"blockdance"})]))
"""


@dataclass(frozen=True)
class Loading:
    """wall, cpu: seconds, medians; modules: the packages outside of the pack that were imported for it alone."""
    wall: float
    cpu: float
    modules: tuple[str, ...]


def measure() -> Loading:
    """In processes of their own."""
    found = []
    for _ in range(_TIMES):
        done = subprocess.run([sys.executable, "-c", _SCRIPT, os.environ["COMFYUI_PATH"], str(ROOT)],
                              capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return Loading(median(wall for wall, _, _ in found), median(cpu for _, cpu, _ in found), tuple(found[0][2]))
