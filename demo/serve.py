"""ComfyUI's page with both packs and the demo's models, until Ctrl-C: `python3 -m demo.serve`, any Python from 3.10.

It opens in your browser. Its template browser has workflows that any CPU runs, in "blockdance_demo": emoji with
BlockDance Auto, shapes and moving shapes with BlockDance.
"""

import argparse
import os
import sys
import tempfile
import webbrowser
from pathlib import Path

from lab.headless.stopping import Stopping

from . import base, host, server

WEIGHTS = base.DEMO / "weights" / "pixart.safetensors"
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")  # one of these is set on Linux where a browser can be shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m demo.serve", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=_port, help="where ComfyUI is to listen (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="only say where it is")
    options = parser.parse_args()
    Stopping()
    chosen = host.prepare()
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        place = base.make_base(Path(folder), WEIGHTS)
        try:
            with server.comfyui_server(chosen, place, place / "comfyui.log", port=options.port) as comfyui:
                opened = not options.no_browser and open_page(comfyui.url)
                print(f"{'Your browser shows' if opened else 'Open'} {comfyui.url}: there, Workflow > Browse Templates "
                      "> blockdance_demo.\nCtrl-C ends it, and its folder with all pictures is deleted.", flush=True)
                code = comfyui.process.wait()
                raise server.ServerError(f"ComfyUI ended with exit code {code}:\n{comfyui.last_lines()}")
        except server.ServerError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nComfyUI is stopped")
            return 0


def open_page(url: str) -> bool:
    """Show the page; False where there is no browser, or only one that would take this terminal."""
    if sys.platform == "linux" and not any(os.environ.get(name) for name in SCREENS):
        return False
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= (value := int(text)) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, use 1 to 65535")
    return value


if __name__ == "__main__":
    sys.exit(host.report_errors(main))
