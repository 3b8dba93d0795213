"""Static rivals at their best settings for a model, as somebody who has only that model would choose them: each of a
few settings makes a recipe, and the one that comes closest in real runs of calibration captions is taken."""

import math
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Callable, Iterable, Sequence

import torch

from .arm import Calibration
from .measured import full_latents, trajectories
from .rivals.dpcache import ORDER, dpcache
from .rivals.l2p import interval, l2p
from .rivals.meancache import SPANS, meancache
from .rivals.static import Recipe, attach_static
from .rivals.trajectory import gram_of

TRIED_ON = 4  # calibration captions
GAMMAS = 1., 2., 4., 8.
SPAN_CHOICES = SPANS, SPANS[:3]
RIDGES = 1e-6, 1e-5, 1e-4, 1e-3


def tuned(recipes: Callable[[Calibration, int], Iterable[Recipe]]) -> Callable[[Calibration, int], Recipe]:
    """A Cook (planned.py): of the recipes for so many computed evaluations the best in runs."""
    def cook(calibration: Calibration, count: int) -> Recipe:
        found: list[Recipe] = []
        for recipe in recipes(calibration, count):
            if recipe not in found:
                found.append(recipe)
        if len(found) == 1:
            return found[0]
        more, model = replace(calibration, captions=TRIED_ON), calibration.subject.patcher
        full = full_latents(more)
        return min(found, key=lambda recipe: _error(
            [run.latents for run in more.draw(attach_static(model, "tried", recipe))], full))
    return cook


def meancaches(calibration: Calibration, count: int) -> Iterable[Recipe]:
    """MeanCache with other peak suppressions and spans, with the last evaluation computed, as the authors' released
    plans have it, and without."""
    runs = trajectories(calibration, steady=True)
    return (meancache(runs, count, gamma, spans, closing) for gamma in GAMMAS for spans in SPAN_CHOICES
            for closing in (False, True))


def l2ps(calibration: Calibration, count: int) -> Iterable[Recipe]:
    """L2P with other ridges, on the published plan and on MeanCache's."""
    gram = gram_of(trajectories(calibration))
    plans = interval(len(gram), count), meancache(trajectories(calibration, steady=True), count).computed
    return (l2p(gram, plan, ridge) for plan in plans for ridge in RIDGES)


def dpcaches(calibration: Calibration, count: int) -> Iterable[Recipe]:
    """DPCache with Taylor forecasts of either order on its plan."""
    return map(partial(dpcache, trajectories(calibration), count), range(1, ORDER + 1))


def _error(latents: Sequence[torch.Tensor], full: Sequence[torch.Tensor]) -> float:
    """The mean in dB; infinite where a run has failed."""
    squares = [float((some - wanted).double().square().mean()) for some, wanted in zip(latents, full)]
    if not all(map(math.isfinite, squares)):
        return math.inf
    return fmean(10 * math.log10(max(square, 1e-30)) for square in squares)
