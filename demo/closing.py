"""What the table says, in words."""

import math

from .table import Row

SHOWN, SAVED = "Auto 2x", "fewer steps"  # the row that the words are about, and the names of those that it must beat
HARD_TO_SEE, SMALL = 40., 30.  # dB


def sentence(table: list[Row]) -> str:
    """What Auto saved, what it cost, and what the same without it would have. The first row is the full run."""
    full, *others = table
    auto = next(row for row in others if row.arm.name == SHOWN)
    words = (f"In short: {auto.arm.name} took {auto.seconds:.2f} s a picture where full sampling took "
             f"{full.seconds:.2f} s, so it is {auto.speedup:.2f} times as fast. {_difference(auto.psnr)}; of their "
             f"objects {auto.score.right} of {auto.score.objects} are as the captions say, "
             f"{_compared(auto.score.right, full.score.right)}.")
    rival = min((row for row in others if row.arm.name.startswith(SAVED)), key=lambda row: row.executed / row.total)
    return f"{words} Plain sampling with {rival.arm.name.removeprefix(SAVED).strip()} of the steps: {_rival(rival)}."


def _difference(psnr: float) -> str:
    if math.isinf(psnr):
        return "Its pictures are identical to the full ones"
    seen = ("are hard to tell from" if psnr >= HARD_TO_SEE else "show small changes from" if psnr >= SMALL
            else "differ visibly from")
    return f"Its pictures {seen} the full ones ({psnr:.1f} dB)"


def _compared(right: int, of_full: int) -> str:
    return "as many as in full" if right == of_full else f"where full sampling draws {of_full}"


def _rival(row: Row) -> str:
    told = "identical" if math.isinf(row.psnr) else f"{row.psnr:.1f} dB"
    return f"{row.seconds:.2f} s and {told}"
