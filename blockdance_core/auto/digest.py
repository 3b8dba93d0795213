"""A name for what was measured of a model, by which two runs can be told to go by the same numbers."""

import hashlib
import json

from .kernel import Kernel

DIGITS = 12  # hexadecimal


def digest(kernel: Kernel) -> str:
    """Of the numbers as a profile's file has them, whatever file they are in."""
    numbers = [[f"{number:.12g}" for number in row] for row in (kernel.times, *kernel.gram)]
    return hashlib.sha256(json.dumps([numbers, kernel.proven, kernel.growth]).encode()).hexdigest()[:DIGITS]
