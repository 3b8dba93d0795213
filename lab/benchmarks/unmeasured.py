"""What a model gets that nobody has measured: each demo model by the profile of all others."""

import json
from pathlib import Path
from statistics import fmean
from typing import Sequence

import numpy as np
from comfy.samplers import sampler_object

from ...blockdance_core.comfy.step_tracking import traits_of
from ...blockdance_core.plan.schedule import Quantity
from .across import STATIC, at, decibels
from .arms import AUTO, MAIN_POINTS, OTHERS
from .markdown import table
from .options import PICTURES
from .table import Table

LOWER = .25  # the quartile of pictures that are expected to be reached
FILE = "expected.json"
PAGE = "docs/internals/benchmarks.md"


def leave_one_out(tables: Sequence[Table]) -> str:
    """A row for each left-out model, way of sampling and speed-up; empty where nothing was measured."""
    lines = []
    for some in tables:
        for point in MAIN_POINTS:
            row = at(some, OTHERS, point)
            if row is None or row.psnr is None:
                continue
            rivals = [(other.psnr.mean, other.method) for other in some.rows
                      if other.point == point and other.psnr and other.method.startswith(STATIC)]
            best, name = max(rivals, default=(None, ""))
            own = at(some, AUTO, point)
            lines.append((
                some.model, some.setting.name, row.samples, point, decibels(row.psnr.mean),
                decibels(float(np.quantile(row.each, LOWER)) if row.each else None),
                decibels(own.psnr.mean if own and own.psnr else None),
                decibels(None if row.ahead is None else row.psnr.mean - row.ahead), f"{decibels(best)} {name}".strip()))
    columns = ("left out", "", "captions", "", "of other models, dB", "lower quartile", "own measurement",
               "fewer steps", "best static rival")
    return table(columns, lines) if lines else ""


def expected(tables: Sequence[Table]) -> dict[Quantity, dict[str, float]]:
    """By quantity and speed-up: the PSNR that three of four pictures of left-out models reach. Both worlds count alike,
    and in each every model, and every way of sampling it. Speed-ups that not all models have are left out.

    Not every way of sampling has every speed-up. Where some have none, what the others reach is less by what all reach
    less than these at the speed-ups that all have, on a line between those. Ways with a single one do not count.
    """
    found: dict[Quantity, dict[str, float]] = {}
    for quantity in Quantity:
        some = [one for one in tables if _quantity(one) is quantity and len(_points(one)) > 1]
        models = {one.model for one in some}
        having = {point: [one for one in some if point in _points(one)] for one in some for point in _points(one)}
        having = {point: those for point, those in having.items() if {one.model for one in those} == models}
        common = sorted((point for point in having if having[point] == some), key=lambda point: _times(some, point))
        for times, point in sorted((_times(those, point), point) for point, those in having.items()):
            reached = _lower_quartile(having[point], point)
            if common:
                less = [_lower_quartile(some, other) - _lower_quartile(having[point], other) for other in common]
                reached += float(np.interp(times, [_times(some, other) for other in common], less))
            found.setdefault(quantity, {})[f"{times:.3g}"] = round(reached, 1)
    return found


def write(folder: Path, tables: Sequence[Table]) -> Path | None:
    """Put it beside the general profile, with where it is from; None where nothing is known."""
    found = expected(tables)
    if not found:
        return None
    models = dict.fromkeys(some.model for some in tables if any(row.method == OTHERS for row in some.rows))
    origin = (f"lower quartile of the PSNR to the full run, in dB by speed-up, over pictures of {len(models)} models "
              f"({', '.join(models)}), each planned for by the mean of the others, both worlds counting alike: {PAGE}")
    path = folder / FILE
    path.write_text(json.dumps({"origin": origin, **{quantity.value: found[quantity] for quantity in found}}, indent=1)
                    + "\n", encoding="utf-8")
    return path


def _times(tables: Sequence[Table], point: str) -> float:
    """How many times faster it is: what was asked for comes to whole evaluations."""
    return 1 / fmean(at(one, OTHERS, point).macs for one in tables)


def _lower_quartile(tables: Sequence[Table], point: str) -> float:
    models = [one.model for one in tables]
    rows = [at(one, OTHERS, point) for one in tables]
    values = np.concatenate([row.each for row in rows])
    worlds = [PICTURES in model for model in dict.fromkeys(models)]
    weights = np.concatenate([np.full(len(row.each), 1 / len(row.each) / models.count(model) / worlds.count(
        PICTURES in model)) for model, row in zip(models, rows)])
    order = values.argsort()
    share = weights[order].cumsum() / weights.sum()
    return float(values[order][np.searchsorted(share, LOWER)])


def _points(table: Table) -> list[str]:
    return [row.point for row in table.rows if row.method == OTHERS and row.each]


def _quantity(table: Table) -> Quantity:
    return traits_of(sampler_object(table.setting.sampler)).quantity
