"""How many pictures there are to draw, how many are drawn, and how long the rest takes."""

import time


class Progress:
    """Counts from its making on. `guess` is what one picture is thought to take, in seconds, before one is drawn."""

    def __init__(self, total: int, guess: float):
        self._total = total
        self._guess = guess
        self._drawn = 0
        self._begun = time.monotonic()

    def drawn(self) -> None:
        """One more is there."""
        self._drawn += 1

    @property
    def seconds_left(self) -> float:
        each = (time.monotonic() - self._begun) / self._drawn if self._drawn else self._guess
        return each * (self._total - self._drawn)

    def label(self, ahead: int = 0) -> str:
        """`[13/80] about 3 min left`; `ahead` is 1 while the next one is being drawn."""
        width = len(str(self._total))
        left = f"{about(self.seconds_left)} left" if self._drawn < self._total else "done"
        return f"[{self._drawn + ahead:{width}}/{self._total}] {left:18}"


def about(seconds: float) -> str:
    """A time that is not known exactly, in words."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {10 * round(seconds / 10)} s"
    return f"about {round(seconds / 60)} min"
