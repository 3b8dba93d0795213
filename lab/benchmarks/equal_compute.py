"""What every method comes to for the same compute, and how far Auto is ahead there.

Between two points of a method's curve PSNR is read off a straight line, which flatters methods with few points: the
curves sag. A point that costs less counts, too, where it is higher: nobody has to spend what is allowed.
"""

from statistics import fmean
from typing import Sequence

from .arms import AUTO, CEILING
from .row import BASELINE, Row
from .statistics import at

PAPER = "BlockDance", "N=2"
SPEEDUPS = (1.5, 2., 2.5, 3.)
# Rivals that continue features or outputs instead of repeating them
FORECASTS = ("TaylorSeer", "HiCache", "Spectrum", "L2P", "MeanCache", "DPCache")
OURS = (AUTO, "BlockDance", "Delta")
ROUNDING = 1e-6  # of a fraction of compute
Curves = dict[str, list[tuple[float, float]]]


def curves(table: Sequence[Row]) -> Curves:
    """(MACs as a fraction of full sampling, PSNR in dB) by method. Without the pictures that are the full
    run's, bit for bit; a method that never differs has no curve."""
    found: Curves = {}
    for row in table:
        if row.psnr and row.psnr_macs:
            found.setdefault(row.method, []).append((row.psnr_macs, row.psnr.mean))
    return found


def heights(table: Sequence[Row]) -> dict[str, list[float | None]]:
    """PSNR of every method for no more than the MACs of each speed-up, in dB; None where it has no such point."""
    return {method: [_height(1 / speedup, curve) for speedup in SPEEDUPS] for method, curve in curves(table).items()}


def _height(macs: float, curve: Sequence[tuple[float, float]]) -> float | None:
    between = at(macs, curve)
    cheaper = [psnr for cost, psnr in curve if cost <= macs * (1 + ROUNDING)]
    return max(cheaper if between is None else [*cheaper, between], default=None)


def leads(table: Sequence[Row]) -> dict[str, list[float | None]]:
    """How many dB Auto is above fewer steps, and above the best rival of each kind and of all, at each speed-up."""
    found = heights(table)
    if AUTO not in found:
        return {}
    rivals = [method for method in found if not method.startswith((*OURS, BASELINE, CEILING))]
    kinds = {"fewer steps": [BASELINE],
             "fewer steps of the best sampler": [method for method in found if method.startswith(BASELINE)],
             "the best cache": [method for method in rivals if not method.startswith(FORECASTS)],
             "the best forecast": [method for method in rivals if method.startswith(FORECASTS)],
             "the best of these rivals": rivals}
    return {kind: [_lead(height, [found[method][place] for method in methods])
                   for place, height in enumerate(found[AUTO])] for kind, methods in kinds.items()}


def mean_leads(tables: Sequence[Sequence[Row]]) -> dict[str, list[float | None]]:
    """The same over models: the mean of those on which both can be read."""
    every = [found for found in map(leads, tables) if found]
    means: dict[str, list[float | None]] = {}
    for kind in every[0] if every else ():
        columns = zip(*(found[kind] for found in every))
        means[kind] = [_mean([lead for lead in column if lead is not None]) for column in columns]
    return means


def speedup_at_paper(table: Sequence[Row]) -> tuple[float, bool] | None:
    """How many times faster than full sampling Auto is at the PSNR of BlockDance N = 2, and whether its fastest point,
    which that then is, is still closer. None where either is missing or Auto never comes so close."""
    paper = next((row.psnr.mean for row in table if (row.method, row.point) == PAPER and row.psnr), None)
    curve = [(psnr, macs) for macs, psnr in curves(table).get(AUTO, ())]
    if paper is None or not curve:
        return None
    worst, fewest = min(curve)
    if paper < worst:
        return 1 / fewest, True
    macs = at(paper, curve)
    return None if macs is None else (1 / macs, False)


def _lead(height: float | None, others: Sequence[float | None]) -> float | None:
    known = [other for other in others if other is not None]
    return None if height is None or not known else height - max(known)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
