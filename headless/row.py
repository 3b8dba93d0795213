"""One line of a comparison."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    label: str
    reference: str  # label of the row that this one is measured against
    seconds: float  # of sampling, median over the rounds
    speedup: float  # median over the rounds of the reference's time divided by this one's
    psnr: float  # dB against the reference, infinite where equal, not a number where not comparable
    ssim: float


def front(rows: list[Row]) -> list[bool]:
    """Whether each row is on the Pareto front of those with its reference: none is at least as fast and as close, and
    better in one of them."""
    return [not math.isnan(row.psnr) and not any(
        other.reference == row.reference and other.seconds <= row.seconds and other.psnr >= row.psnr
        and (other.seconds < row.seconds or other.psnr > row.psnr) for other in rows) for row in rows]
