"""BNS, a ceiling: the best coefficients that a linear solver can have, trained through the model by gradients.

Bespoke Non-Stationary Solvers for Fast Sampling of Diffusion and Flow Models, arXiv 2403.01329 (ICML 2024), section 3:
the latent after each step is the one before it plus a weighted sum of all velocities so far, every step with weights of
its own, which subsumes the usual solvers; the weights are trained for the PSNR of the result, here to the full run's
latent, and the times are those of a plan. All that weighted sums of outputs can reach with these evaluations is a case
of it, Auto's own forecasts included.

Trained are the weights of outputs that are orthonormal in the recorded runs, since the outputs themselves are so alike
that hardly anything depends on most of their weights. All captions are one batch of L-BFGS.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from comfy import model_management

from ....blockdance_core.plan.schedule import FlowTime, Quantity
from .static import Recipe

ROUNDS = 20  # of L-BFGS
ALIKE = 1e-7  # of the mean square of an output: what is smaller of one is not told apart from the others


@dataclass(frozen=True)
class Solver:
    """computed: the evaluations of the full run's that are made; moves: (K, K) lower triangular, the weight of each
    velocity in the latent's way from one of them to the next."""
    computed: tuple[int, ...]
    moves: torch.Tensor

    @classmethod
    def of(cls, recipe: Recipe, times: np.ndarray) -> "Solver":
        """The one that goes the recipe's way. times: (T + 1,)"""
        place = {number: place for place, number in enumerate(recipe.computed)}
        moves, step = torch.zeros(len(place), len(place), dtype=torch.float64), -1
        for number, row in enumerate(recipe.rows):
            step += number in place
            for other, weight in row.items():
                moves[step, place[other]] += weight * (times[number + 1] - times[number])
        return cls(recipe.computed, moves)

    def dump(self) -> dict[str, list]:
        """For JSON."""
        return {"computed": list(self.computed), "moves": self.moves.tolist()}

    @classmethod
    def parse(cls, found: dict[str, list]) -> "Solver":
        """What was dumped."""
        return cls(tuple(found["computed"]), torch.tensor(found["moves"], dtype=torch.float64))

    def __call__(self, model: Callable, x: torch.Tensor, sigmas: torch.Tensor, extra_args: dict, flow: FlowTime
                 ) -> torch.Tensor:
        """Sample, as solver.py has it: x (B, C, ...) at the first sigma, to the picture."""
        velocities: list[torch.Tensor] = []
        for step, number in enumerate(self.computed):
            sigma = sigmas[number]
            velocities.append(_evaluate(model, x, sigma, extra_args, flow))
            following = self.computed[step + 1] if step + 1 < len(self.computed) else len(sigmas) - 1
            move = sum(weight * velocity for weight, velocity in zip(self.moves[step].to(x), velocities))
            x = (_flow_latent(x, sigma, flow) + move) * (1 if flow.flow else 1 + sigmas[following])
        return x


def _evaluate(model: Callable, x: torch.Tensor, sigma: torch.Tensor, extra_args: dict, flow: FlowTime) -> torch.Tensor:
    """The velocity."""
    denoised = model(x, sigma * x.new_ones(len(x)), **extra_args)
    return flow.read(Quantity.VELOCITY, x, denoised, float(sigma))


def _flow_latent(x: torch.Tensor, sigma: torch.Tensor, flow: FlowTime) -> torch.Tensor:
    return x if flow.flow else x / (1 + sigma)


Solve = Callable[[Callable[..., torch.Tensor]], None]


def mean_decibels(errors: Iterable[torch.Tensor]) -> float:
    """Of mean squares: minus the mean PSNR, up to a constant; infinite where a run has failed."""
    total = torch.stack([10 * torch.log10(error.double().square().mean()) for error in errors]).mean()
    return float(total) if total.isfinite() else math.inf


@contextmanager
def _gradients() -> Iterator[None]:
    """Through ComfyUI's models, some of which compute by kernels without gradients, and add to tensors in place."""
    before, model_management.in_training = model_management.in_training, True
    try:
        with torch.enable_grad(), torch.autograd.graph.allow_mutation_on_saved_tensors():
            yield
    finally:
        model_management.in_training = before


def trained(solver: Solver, gram: np.ndarray, solve: Callable[[Solve], Sequence[torch.Tensor]],
            wanted: Sequence[torch.Tensor], rounds: int = ROUNDS) -> tuple[Solver, float]:
    """The solver after training, and its loss: minus the PSNR to what is `wanted`, up to a constant, in dB.

    gram: (T, T) of the outputs of full runs. solve: samples all captions in turn by a function as Solver is one.
    """
    known = torch.from_numpy(gram[np.ix_(solver.computed, solver.computed)])
    known = known + ALIKE * known.diagonal().mean() * torch.eye(len(known), dtype=known.dtype)
    orthonormal = torch.linalg.inv(torch.linalg.cholesky(known / known.diagonal().mean()))
    changes = torch.zeros_like(solver.moves, requires_grad=True)
    reach = solver.moves.sum(1, keepdim=True).abs()

    def loss() -> torch.Tensor:
        """The gradient of each caption is taken while its run is there."""
        total, changes.grad = 0., torch.zeros_like(changes)
        pictures = iter(wanted)

        def training(*run) -> torch.Tensor:
            nonlocal total
            with _gradients():
                moves = solver.moves + reach * changes.tril() @ orthonormal
                picture = Solver(solver.computed, moves)(*run)
                wrong = picture.flatten() - next(pictures).to(picture).flatten()
                error = 10 * torch.log10(wrong.double().square().mean()) / len(wanted)
                changes.grad += torch.autograd.grad(error, changes)[0]
            total += float(error.detach())
            return picture.detach()
        solve(training)
        if not math.isfinite(total):
            total = math.inf
        return torch.tensor(total)

    best = math.inf, torch.zeros_like(solver.moves)

    def remembered() -> torch.Tensor:
        nonlocal best
        value = loss()
        best = min(best, (float(value), changes.detach().clone()), key=lambda pair: pair[0])
        return value
    if rounds:
        torch.optim.LBFGS([changes], lr=1., max_iter=rounds, history_size=rounds,
                          line_search_fn="strong_wolfe").step(remembered)
    else:
        remembered()
    moves = solver.moves + reach * best[1].tril() @ orthonormal
    return Solver(solver.computed, moves), best[0]
