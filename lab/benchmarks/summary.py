"""The answer in a few lines and one picture: one world, in the way of sampling that all methods were measured in."""

from statistics import fmean
from typing import Sequence

from PIL import Image

from ...blockdance_core.figures.canvas import Theme
from . import across, equal_compute, more_steps, promises
from .across import decibels
from .arms import AUTO, CEILING, OTHERS
from .pareto import Points, comparison
from .row import BASELINE
from .setting import Setting
from .table import Table

AT = {2.: equal_compute.SPEEDUPS.index(2.), 3.: equal_compute.SPEEDUPS.index(3.)}
SHOWN = 5  # rivals of the picture


def lines(tables: Sequence[Table], base: Setting) -> list[str]:
    """tables: of one world, in all ways of sampling; base: the way of the picture. Empty where that was not measured.
    """
    of_base = [table for table in tables if table.setting == base]
    found = heights(of_base)
    if AUTO not in found:
        return []
    said = [_level(found, of_base), *(_rival(found, speedup) for speedup in AT), _others(found),
            across.line(tables, base), promises.line(tables), more_steps.line(more_steps.of_steps(tables, base))]
    return [f"- {line}" for line in said if line]


def heights(tables: Sequence[Table]) -> dict[str, list[float | None]]:
    """Of every method the mean over the models for no more than the compute of equal_compute.SPEEDUPS, in dB; None
    where a model has no such point."""
    every = [equal_compute.heights(table.rows) for table in tables]
    return {method: [None if any(one.get(method, [None] * (place + 1))[place] is None for one in every)
                     else fmean(one[method][place] for one in every) for place in range(len(equal_compute.SPEEDUPS))]
            for method in dict.fromkeys(method for one in every for method in one)}


def picture(tables: Sequence[Table], base: Setting, theme: Theme) -> Image.Image:
    """Quality for compute, the mean over models: ours, fewer steps, and the rivals that come closest."""
    of_base = [table for table in tables if table.setting == base]
    found = heights(of_base)
    rivals = sorted(_rivals(found), key=lambda method: -max(height or 0. for height in found[method]))[:SHOWN]
    shown = [BASELINE, AUTO, OTHERS, *rivals, *(method for method in found if method.startswith(CEILING))]
    curves: dict[str, Points] = {}
    for method in shown:
        points = [(1 / speedup, height) for speedup, height in zip(equal_compute.SPEEDUPS, found.get(method, ()))
                  if height is not None]
        if points:
            curves[method] = sorted(points)
    return comparison(curves, {}, "computed, as a fraction of full sampling", "Quality for compute",
                      f"{_of(of_base)}. Higher and further left is better; squares: ours.", theme)


def _level(found: dict[str, list[float | None]], tables: Sequence[Table]) -> str:
    known = {speedup: place for speedup, place in AT.items() if found[AUTO][place] is not None}
    auto = " and ".join(f"{decibels(found[AUTO][place])} dB of the full run at {speedup:g}x"
                        for speedup, place in known.items())
    fewer = " and ".join(decibels(found[BASELINE][place]) for place in known.values() if BASELINE in found)
    return f"**Auto comes to {auto}**; fewer steps for the same time to {fewer} dB ({_of(tables)})."


def _rival(found: dict[str, list[float | None]], speedup: float) -> str:
    place = AT[speedup]
    known = {method: found[method][place] for method in _rivals(found) if found[method][place] is not None}
    auto = found[AUTO][place]
    if not known or auto is None:
        return ""
    name = max(known, key=known.get)
    lead = auto - known[name]
    if lead < 0:
        return f"**At {speedup:g}x {name} wins**, with {known[name]:.1f} dB: Auto is {-lead:.1f} behind it."
    return f"At {speedup:g}x the best rival is {name}, with {known[name]:.1f} dB: Auto is {lead:.1f} ahead of it."


def _others(found: dict[str, list[float | None]]) -> str:
    heights = [found.get(OTHERS, [None] * len(equal_compute.SPEEDUPS))[place] for place in AT.values()]
    if None in heights:
        return ""
    leads = [height - max(found[method][place] for method in _rivals(found) if found[method][place] is not None)
             for height, place in zip(heights, AT.values())
             if any(found[method][place] is not None for method in _rivals(found))]
    said = ": " + " and ".join(
        f"{abs(lead):.1f} {'ahead of' if lead >= 0 else 'behind'} the best rival" for lead in leads)
    return (f"On a model that nobody has measured Auto comes to {heights[0]:.1f} and {heights[1]:.1f} dB, by what "
            f"other models have in common{said if leads else ''}.")


def _rivals(found: dict[str, list[float | None]]) -> list[str]:
    return [method for method in found if not method.startswith((*equal_compute.OURS, CEILING)) and method != BASELINE]


def _of(tables: Sequence[Table]) -> str:
    models = ", ".join(table.model for table in tables)
    return f"{tables[0].setting.name}; mean of {models}; captions: {tables[0].rows[0].samples}"
