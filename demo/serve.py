"""ComfyUI's page with both packs and the demo's models, until Ctrl-C: `python3 -m demo.serve`, any Python from 3.10.

The template browser has the workflows blockdance_shapes_world and blockdance_shapes_world_video, which any CPU runs.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from headless.stopping import Stopping

from . import base, host, server

WEIGHTS = base.DEMO / "weights" / "pixart.safetensors"


def main() -> int:
    argparse.ArgumentParser(prog="python3 -m demo.serve", description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    Stopping()
    chosen = host.prepare()
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        place = base.make_base(Path(folder), WEIGHTS)
        try:
            with server.comfyui_server(chosen, place, place / "comfyui.log") as comfyui:
                print(f"Open {comfyui.url}, then Workflow > Browse Templates > blockdance_demo.\n"
                      "Ctrl-C ends it, and its folder with all pictures is deleted.", flush=True)
                code = comfyui.process.wait()
                raise server.ServerError(f"ComfyUI ended with exit code {code}:\n{comfyui.last_lines()}")
        except server.ServerError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nComfyUI is stopped")
            return 0


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
