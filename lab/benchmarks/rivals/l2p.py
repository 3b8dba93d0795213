"""L2P: every output that is not computed is a weighted sum of all that were, with weights learnt for each evaluation.

Beyond Fixed Formulas: Data-Driven Linear Predictor for Efficient Diffusion Models, arXiv 2604.26365 (CVPR 2026),
section 3: the forecast at step t is sum_j W[t, j] F[j] over the computed steps j < t, W lower triangular and learnt by
the mean square error over recorded trajectories. That loss is quadratic, so its least is found from the Gram matrix of
the outputs in closed form, with a small ridge (1e-5 of the mean square of an output), instead of by gradients. What is
forecast is the model's output. Weights are fitted for the plan at hand; a matrix for all plans, which takes forecasts
for computed ones where those are missing, is never better.
"""

from typing import Sequence

import numpy as np

from .static import Recipe

RIDGE = 1e-5
FIRST = 3


def interval(steps: int, count: int) -> tuple[int, ...]:
    """The published plan: the first three, the last, and between them one of every N, as evenly as so many can be."""
    if not 1 <= count <= steps:
        raise ValueError(f"{count} evaluations of {steps}: use 1 to {steps}")
    begin = min(FIRST, count) - 1
    gaps = count - begin - 1
    return *range(begin), *(begin + place * (steps - 1 - begin) // max(1, gaps) for place in range(gaps + 1))


def l2p(gram: np.ndarray, computed: Sequence[int], ridge: float = RIDGE) -> Recipe:
    """The best weights of all computed evaluations before each other one. gram: (T, T) of the outputs of full runs."""
    def row(number: int) -> dict[int, float]:
        past = [other for other in computed if other < number]
        known = gram[np.ix_(past, past)]
        known = known + ridge * np.trace(known) / len(past) * np.eye(len(past))
        return dict(zip(past, np.linalg.solve(known, gram[past, number]).tolist()))
    return Recipe.of(len(gram), computed,
                     {number: row(number) for number in range(len(gram)) if number not in computed})
