"""What a run comes to in one short sentence, for people who know nothing of blocks: times where two are known to
compare, else evaluations."""

FRACTIONS = {1 / 4: "a quarter of", 1 / 3: "a third of", 1 / 2: "half", 2 / 3: "two thirds of",
             3 / 4: "three quarters of"}
NEAR = .02  # of all, between a share and the fraction that it is called by
SAME = .05  # of the time: less is no difference


def full(fast: float) -> str:
    """Of a run that computed everything, in so many seconds."""
    return f"full run: {seconds(fast)}"


def faster(full: float, fast: float) -> str:
    """Of a run, beside the seconds of a full one."""
    times = f"{seconds(full)} -> {seconds(fast)}"
    ratio = full / max(fast, 1e-9)
    if ratio > 1 + SAME:
        return f"{ratio:.1f}x faster: {times}"
    return f"no faster than in full: {times}" if ratio > 1 - SAME else f"{1 / ratio:.1f}x slower: {times}"


def of_evaluations(reused: int, made: int, whole: bool, share: float) -> str:
    """Of a run or a plan that does something else than compute in so many of the evaluations made. whole: nothing of
    the model runs at these; share: what is computed as a fraction of all."""
    if not reused:
        return f"all {made} evaluations in full"
    did = f"{made - reused} of {made} evaluations" if whole else f"{reused} of {made} evaluations reuse blocks"
    return f"{did}, about {part(share)} the time"


def of_another_cache(skipped: int, made: int) -> str:
    """Of a run that computed whatever another cache left to it."""
    return f"another cache skipped {skipped} of {made} evaluations"


def part(share: float) -> str:
    """A share of the whole, as it stands before "the time"."""
    nearest = min(FRACTIONS, key=lambda fraction: abs(fraction - share))
    return FRACTIONS[nearest] if abs(nearest - share) <= NEAR else f"{share:.0%} of"


def seconds(number: float) -> str:
    return f"{number:.0f} s" if number >= 100 else f"{number:.1f} s" if number >= 1 else f"{number:.2f} s"
