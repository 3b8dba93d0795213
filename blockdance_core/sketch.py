"""A hidden state as few numbers, chosen at random once and then fixed, so that those of different steps compare.

A *sample* is all channels of some tokens: a few channels of a transformer are far larger than the rest, so leaving out
channels would make the result a matter of luck, leaving out tokens does not. A *sketch* is WIDTH signed random sums of
a sample: cosines survive it with an error of about (1 - cosine^2) / sqrt(WIDTH).
"""

from typing import Callable, Hashable

import torch

SAMPLED = 2 ** 17  # most numbers of a sample, 512 KiB; one token is the least
WIDTH = 1024  # numbers of a sketch, 4 KiB


class Sketcher:
    """The random choices of one run. They depend on shapes alone, so every run makes the same."""

    def __init__(self):
        self._choices: dict[Hashable, torch.Tensor] = {}

    def sample(self, tokens: torch.Tensor) -> torch.Tensor:
        """All channels of up to SAMPLED / D tokens, a copy in float32: (T, D) -> (n,)."""
        count, most = len(tokens), max(1, SAMPLED // tokens.shape[1])
        chosen = self._choice(("tokens", count, most), tokens.device,
                              lambda generator: torch.randperm(count, generator=generator)[:most].sort().values)
        return tokens[chosen].flatten().float()

    def sketch(self, values: torch.Tensor) -> torch.Tensor:
        """(n,) -> (WIDTH,), linear in the values, of which up to WIDTH are kept as they are."""
        count = -(-len(values) // WIDTH) * WIDTH
        values = torch.nn.functional.pad(values, (0, count - len(values)))
        if count == WIDTH:
            return values
        order = self._choice(("order", count), values.device,
                             lambda generator: torch.randperm(count, generator=generator))
        signs = self._choice(("signs", count), values.device,
                             lambda generator: torch.randint(0, 2, (count,), generator=generator) * 2. - 1)
        return (values[order] * signs).view(-1, WIDTH).sum(0)

    def project(self, tokens: torch.Tensor, channels: int) -> torch.Tensor:
        """The tokens in few random channels, which show nearly the same principal components: (T, D) -> (T, c)."""
        width = tokens.shape[1]
        directions = self._choice(("directions", width, channels), tokens.device,
                                  lambda generator: torch.randn(width, channels, generator=generator))
        return tokens.float() @ directions / channels ** .5

    def _choice(self, name: Hashable, device: torch.device, make: Callable[[torch.Generator], torch.Tensor]):
        if (name, device) not in self._choices:
            generator = torch.Generator().manual_seed(0)  # its own: the sampler's noise must not change
            self._choices[name, device] = make(generator).to(device)
        return self._choices[name, device]
