"""One line of a comparison."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    label: str
    reference: str  # label of the row that this one is measured against
    seconds: float  # of sampling, median over the rounds
    speedup: float  # the reference's seconds divided by these
    psnr: float  # dB against the reference, of those that differ: infinite where none does, NaN where not comparable
    ssim: float
    pictures: int = 1  # or frames, that were compared
    equal: int = 0  # of them
    server: str = ""  # that measured it

    @property
    def apart(self) -> str:
        """How many are equal to the reference's where others are not."""
        return f"{self.equal} of {self.pictures} identical" if 0 < self.equal < self.pictures else ""


def front(rows: list[Row]) -> list[bool]:
    """Whether each row is on the Pareto front of those with its reference: none is at least as fast and as close, and
    better in one of them. Speedups, as the seconds of two servers say nothing of each other."""
    return [not math.isnan(row.psnr) and not any(
        other.reference == row.reference and other.speedup >= row.speedup and other.psnr >= row.psnr
        and (other.speedup > row.speedup or other.psnr > row.psnr) for other in rows) for row in rows]
