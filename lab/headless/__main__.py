"""`python -m lab.headless`, from the pack's folder, with ComfyUI's Python or any other that has aiohttp.

`python lab/headless` is the same, also for Pythons that do not look into the folder that they are started in, as the
one of ComfyUI's portable version for Windows.
"""

import importlib.util
import sys
from pathlib import Path

if __name__ == "__main__":
    if importlib.util.find_spec("aiohttp") is None:
        print(f"error: {sys.executable} has no aiohttp: use ComfyUI's Python, or install it there with "
              "`pip install aiohttp`", file=sys.stderr)
        sys.exit(2)
    if not __package__:  # the folder was run, which makes it, not its parent, the place to import from
        sys.path[0] = str(Path(__file__).resolve().parents[2])
    from lab.headless.cli import main
    sys.stdout.reconfigure(errors="backslashreplace")  # a file may be of an encoding without some of our characters
    sys.exit(main())
