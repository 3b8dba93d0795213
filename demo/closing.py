"""What the table says, in words."""

import math

from blockdance_core.closeness import Closeness, closeness

from .showcase import Showcase
from .table import Row

SHOWN = "Auto 2x"  # the row that the words are about
SEEN = {Closeness.ALIKE: "are hard to tell from", Closeness.DETAILS: "show small changes from",
        Closeness.COMPOSITION: "differ visibly from"}


def sentence(table: list[Row], showcase: Showcase) -> str:
    """What Auto saved, what it cost, and what fewer steps of nearly its cost would have. The first row is the full
    run."""
    full, *others = table
    auto = next(row for row in others if row.arm.name == SHOWN)
    judged = showcase.said.format(right=auto.verdict.right, of=auto.verdict.of)
    words = (f"In short: {auto.arm.name} took {auto.seconds:.2f} s a picture where full sampling took "
             f"{full.seconds:.2f} s, so it is {auto.speedup:.2f} times as fast. {_difference(auto.psnr)}; {judged}, "
             f"{_compared(auto.verdict.right, full.verdict.right)}.")
    rival = min((row for row in others if row.steps < full.steps),
                key=lambda row: abs(row.executed / row.total - auto.executed / auto.total))
    return f"{words} Plain sampling with {rival.steps} instead of {full.steps} steps: {_rival(rival)}."


def _difference(psnr: float) -> str:
    if math.isinf(psnr):
        return "Its pictures are identical to the full ones"
    return f"Its pictures {SEEN[closeness(psnr)]} the full ones ({psnr:.1f} dB)"


def _compared(right: int, of_full: int) -> str:
    return "as many as in full" if right == of_full else f"and {of_full} in full"


def _rival(row: Row) -> str:
    told = "identical" if math.isinf(row.psnr) else f"{row.psnr:.1f} dB"
    return f"{row.seconds:.2f} s and {told}"
