"""Muon for a model of many equal blocks: matrices of one shape are orthogonalised together.

What torch.optim.Muon computes, matrix by matrix, in a hundredth of the kernel launches: on a GPU small models wait for
those and for little else.
"""

import math
from collections import defaultdict

import torch

COEFFICIENTS = 3.4445, -4.7750, 2.0315  # of the quintic Newton-Schulz iteration, Jordan et al. 2024
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Momentum with Nesterov's look ahead, and the learning rate matched to AdamW's size of a step."""

    def __init__(self, matrices: list[torch.nn.Parameter], lr: float, momentum: float = .95):
        super().__init__(matrices, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            alike = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for shape, matrices in alike.items():
                for matrix in matrices:
                    if "buffer" not in self.state[matrix]:
                        self.state[matrix]["buffer"] = torch.zeros_like(matrix)
                buffers = [self.state[matrix]["buffer"] for matrix in matrices]
                gradients = [matrix.grad for matrix in matrices]
                torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
                updates = torch._foreach_lerp(gradients, buffers, group["momentum"])
                steps = orthogonalised(torch.stack(updates)).to(matrices[0].dtype)
                torch._foreach_add_(matrices, list(steps.unbind()), alpha=-group["lr"] * .2 * math.sqrt(max(shape)))


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """(N, A, B): each about U V^T of its singular value decomposition U S V^T, in bf16.

    X <- a X + (b G + c G^2) X with G = X X^T, from X = M / |M|.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
