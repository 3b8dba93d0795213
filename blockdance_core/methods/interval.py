"""What the settings of every fixed-interval method share: their ranges, their default span, their groups of steps."""


def three_quarters(depth: int) -> int:
    """The share of the blocks that both papers reuse: 21 of 28."""
    return max(1, depth * 3 // 4)


def check_interval(N: int) -> None:
    if not 1 <= N <= 10:
        raise ValueError(f"N is {N}; use 2 to 10, or 1 to turn reuse off")


def check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value:g}; use a fraction of sampling between 0 and 1")


def check_n_cached(n_cached: int) -> None:
    if n_cached < -1 or n_cached == 0:
        raise ValueError(f"n_cached is {n_cached}; use a number of blocks from 1, or -1 for three quarters of them")


def cached_steps(window: tuple[int, ...], N: int) -> tuple[int, ...]:
    """The steps of a window that reuse: all but the first of every N.

    A group that the window cuts short is computed in full, as Delta-DiT's cost (Eq. 7) counts it.
    """
    whole = len(window) // N * N
    return tuple(step for position, step in enumerate(window[:whole]) if position % N)
