"""How close a picture is to the one of a full run, in words beside decibels.

The borders are in dB of PSNR, checked against SSIM in tests/core/analysis/test_closeness.py; docs/results.md shows by
what.
"""

from enum import Enum

ALIKE_FROM, DETAILS_FROM = 40., 28.  # dB


class Closeness(Enum):
    ALIKE = "hard to tell apart"
    DETAILS = "small details differ"
    COMPOSITION = "composition may change"

    def __str__(self) -> str:
        return self.value


def closeness(decibels: float) -> Closeness:
    """Of a picture with this PSNR to that of the full run; infinite for equal ones."""
    if decibels >= ALIKE_FROM:
        return Closeness.ALIKE
    return Closeness.DETAILS if decibels >= DETAILS_FROM else Closeness.COMPOSITION
