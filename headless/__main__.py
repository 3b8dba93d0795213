"""`python -m headless`, from the pack's folder, with ComfyUI's Python or any other that has aiohttp."""

import importlib.util
import sys

if __name__ == "__main__":
    if importlib.util.find_spec("aiohttp") is None:
        print(f"error: {sys.executable} has no aiohttp: use ComfyUI's Python, or install it there with "
              "`pip install aiohttp`", file=sys.stderr)
        sys.exit(2)
    from .cli import main
    sys.exit(main())
