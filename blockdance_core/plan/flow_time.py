"""Every kind of diffusion in the terms of a flow: x = (1 - t) * picture + t * noise, for t from 1 to 0.

A flow model is one already. Where the noise is added on top (EPS, v-prediction, EDM), x / (1 + sigma) is one with
t = sigma / (1 + sigma), and Euler's steps are the same in both.
"""

from dataclasses import dataclass
from enum import Enum

import torch


class Quantity(Enum):
    """What is forecast of an output: either tells the other, as the latent is known."""
    VELOCITY = "velocity"  # noise minus picture: smooth where nothing but the model moves the latent
    PICTURE = "picture"  # the denoised latent: smooth also where the sampler adds noise at every step


@dataclass(frozen=True)
class FlowTime:
    """flow: whether the model is a flow already."""
    flow: bool = True

    def time(self, sigma: float) -> float:
        return sigma if self.flow else sigma / (1 + sigma)

    def read(self, quantity: Quantity, latent: torch.Tensor, denoised: torch.Tensor, sigma: float) -> torch.Tensor:
        """The quantity, of a latent that was evaluated at sigma and the picture that came of it."""
        if quantity is Quantity.PICTURE:
            return denoised
        return (self._latent(latent, sigma) - denoised) / self.time(sigma)

    def denoised(self, quantity: Quantity, latent: torch.Tensor, value: torch.Tensor, sigma: float) -> torch.Tensor:
        """The picture that a value of the quantity means for this latent."""
        if quantity is Quantity.PICTURE:
            return value
        return self._latent(latent, sigma) - self.time(sigma) * value

    def _latent(self, latent: torch.Tensor, sigma: float) -> torch.Tensor:
        return latent if self.flow else latent / (1 + sigma)
