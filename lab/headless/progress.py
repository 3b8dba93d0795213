"""The bar that a terminal shows while a prompt runs."""

import sys

from .client import Progress
from .graph import Prompt, title

WIDTH = 30


def bar(prompt: Prompt, label: str = "") -> Progress | None:
    """Draws on stderr, one line over and over; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        return None
    start = f"{label} " if label else ""

    def show(node: str, value: int, maximum: int) -> None:
        done = round(WIDTH * value / max(1, maximum))
        words = title(prompt, node) if node in prompt else node
        print(f"\r\x1b[K{start}[{'#' * done}{'.' * (WIDTH - done)}] {value}/{maximum} {words}", end="",
              file=sys.stderr, flush=True)
    return show


def clear() -> None:
    """Take the bar away."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
