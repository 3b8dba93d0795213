"""The decision network (BlockDance, section 3.3): the latent after rho of the steps and the prompt go through three
transformer blocks and an MLP, and come out as one decision for each step that is left.

Decisions are integers: COMPUTED, or k from 1 to reuse up to the k-th border.
"""

import math
from dataclasses import dataclass
from typing import Sequence

import torch
from torch.nn import Module, ModuleList, Parameter
from torch.nn import functional as F

BLOCKS = 3
PATCH = 2
LARGEST = 4, 32, 32  # frames, rows and columns that are looked at: what is larger is averaged down to it
FREQUENCIES = 8  # per axis, of the places of patches
COMPUTED = 0
LARGEST_SIZE = 10 ** 5


@dataclass(frozen=True)
class Sizes:
    """channels: of the latent; text, pooled: widths of the prompt's sequence and vector, 0 where there is none;
    decisions: steps that are left after rho; borders: how many spans a reused step may choose from."""
    channels: int
    text: int
    pooled: int
    decisions: int
    borders: int = 1
    width: int = 1344
    heads: int = 21

    def __post_init__(self):
        least = dict(channels=1, text=0, pooled=0, decisions=1, borders=1, width=1, heads=1)
        for name, low in least.items():
            if not (isinstance(getattr(self, name), int) and low <= getattr(self, name) <= LARGEST_SIZE):
                raise ValueError(f"{name} is {getattr(self, name)!r}; use a whole number from {low} to {LARGEST_SIZE}")
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} does not divide into {self.heads} heads")


@dataclass(frozen=True)
class State:
    """What a decision is made of. latent: (B, C, L), (B, C, H, W) or (B, C, T, H, W) at any noise level;
    text: (B, N, D) or None; pooled: (B, P) or None."""
    latent: torch.Tensor
    text: torch.Tensor | None = None
    pooled: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.latent)

    def to(self, device: torch.device) -> "State":
        return State(*(value if value is None else value.to(device)
                       for value in (self.latent, self.text, self.pooled)))


class DecisionNetwork(Module):
    """Gives logits of computing, (B, decisions), and of the borders to reuse up to, (B, decisions, borders).

    operations: the layers to build with, ComfyUI's or torch.nn. The decisions start out even and without a preference.
    """

    def __init__(self, sizes: Sizes, operations=torch.nn, device: torch.device | str | None = None):
        super().__init__()
        self.sizes = sizes
        width, made = sizes.width, {"device": device}
        self.patches = operations.Linear(sizes.channels * PATCH ** 2, width, **made)
        self.places = operations.Linear(3 * 2 * FREQUENCIES, width, bias=False, **made)
        self.text = operations.Linear(sizes.text, width, **made) if sizes.text else None
        self.pooled = operations.Linear(sizes.pooled, width, **made) if sizes.pooled else None
        self.token = Parameter(torch.zeros(width, **made))
        self.blocks = ModuleList(_Block(width, sizes.heads, operations, made) for _ in range(BLOCKS))
        self.norm = operations.LayerNorm(width, **made)
        self.expand = operations.Linear(width, 4 * width, **made)
        self.decide = operations.Linear(4 * width, sizes.decisions * self._each, **made)

    @property
    def _each(self) -> int:
        """Logits of a step: that of computing, and those of the borders where there is a choice."""
        return 1 + (self.sizes.borders if self.sizes.borders > 1 else 0)

    def start(self, compute: torch.Tensor | None = None, seed: int = 0) -> "DecisionNetwork":
        """Fresh weights. compute: logits (decisions,) to begin with, for every picture; 0 = as likely as not."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim == 2 and not name.startswith("decide"):
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter.shape[1]))
                else:
                    parameter.fill_(float("norm" in name and name.endswith("weight")))
            if compute is not None:
                self.decide.bias.view(self.sizes.decisions, self._each)[:, 0] = compute
        return self

    def forward(self, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        self._check(state)
        tokens = [self._patches(state.latent)]
        token = self.token.to(tokens[0]).expand(len(state), 1, -1)  # (B, 1, W)
        if self.pooled is not None:
            token = token + self.pooled(_normal(state.pooled.to(tokens[0])))[:, None]
        if self.text is not None:
            tokens.append(self.text(_normal(state.text.to(tokens[0]))))
        x = torch.cat([token, *tokens], 1)  # (B, 1 + patches + words, W)
        for block in self.blocks:
            x = block(x)
        logits = self.decide(F.gelu(self.expand(self.norm(x[:, 0]))))
        logits = logits.view(len(state), self.sizes.decisions, self._each)
        borders = logits[..., 1:] if self._each > 1 else torch.zeros_like(logits)
        return logits[..., 0], borders

    def _check(self, state: State) -> None:
        """Raises ValueError where the state is not of the model that the network was made for."""
        widths = dict(text=state.text, pooled=state.pooled)
        found = dict(channels=state.latent.shape[1], **{
            name: 0 if value is None else value.shape[-1] for name, value in widths.items()})
        for name, width in found.items():
            expected = getattr(self.sizes, name)
            if width != expected and (name == "channels" or expected):
                raise ValueError(f"the policy decides by {name} of width {expected}, this run has {width or 'none'}")

    def _patches(self, latent: torch.Tensor) -> torch.Tensor:
        """Tokens (B, patches, W) of a latent."""
        x = latent.float()
        scale = x.flatten(1).std(1).clamp(min=1e-6)
        x = x / scale.view(-1, *[1] * (x.ndim - 1))
        x = x[(slice(None), slice(None)) + (None,) * (5 - x.ndim)]  # (B, C, T, H, W), sound as one row
        frames, *sides = (min(size, most) for size, most in zip(x.shape[2:], LARGEST))
        rows, columns = (math.ceil(side / PATCH) for side in sides)
        x = F.adaptive_avg_pool3d(x, (frames, rows * PATCH, columns * PATCH))
        x = x.unflatten(4, (columns, PATCH)).unflatten(3, (rows, PATCH))  # (B, C, T, rows, P, columns, P)
        x = x.permute(0, 2, 3, 5, 1, 4, 6).flatten(4).flatten(1, 3)
        return self.patches(x) + self.places(_places(frames, rows, columns).to(x))


class _Block(Module):
    """Pre-norm attention and MLP."""

    def __init__(self, width: int, heads: int, operations, made: dict):
        super().__init__()
        self._heads = heads
        self.norm1 = operations.LayerNorm(width, **made)
        self.qkv = operations.Linear(width, 3 * width, **made)
        self.out = operations.Linear(width, width, **made)
        self.norm2 = operations.LayerNorm(width, **made)
        self.up = operations.Linear(width, 4 * width, **made)
        self.down = operations.Linear(4 * width, width, **made)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = self.qkv(self.norm1(x)).unflatten(2, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, H, N, W / H)
        attended = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        x = x + self.out(attended)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


def _normal(x: torch.Tensor) -> torch.Tensor:
    """Of unit size, whatever the text encoder's scale; zeros stay zeros."""
    return F.layer_norm(x, x.shape[-1:])


def _places(frames: int, rows: int, columns: int) -> torch.Tensor:
    """Sines and cosines (1, patches, 3 * 2 * FREQUENCIES) of where patches are, in fractions of the picture."""
    axes = [(torch.arange(count) + .5) / count for count in (frames, rows, columns)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, 2)  # (patches, 3)
    angles = grid[:, :, None] * math.pi * 2. ** torch.arange(FREQUENCIES)  # (patches, 3, F)
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(1)[None]


@dataclass(frozen=True)
class Choices:
    """What the logits mean: u ~ Bernoulli(m) for each step (BlockDance, eq. 5), m = sigmoid(compute), and a border
    where it reuses.

    compute: (B, S) logits; borders: (B, S, K) logits.
    """
    compute: torch.Tensor
    borders: torch.Tensor

    @property
    def m(self) -> torch.Tensor:
        """Probabilities (B, S) of computing."""
        return self.compute.sigmoid()

    def sample(self, generator: torch.Generator) -> torch.Tensor:
        """Decisions (B, S), drawn."""
        with torch.no_grad():
            computed = torch.rand(self.m.shape, generator=generator) < self.m.cpu()
            weights = self.borders.softmax(-1).cpu().flatten(0, 1)
            chosen = torch.multinomial(weights, 1, generator=generator).view(computed.shape)
            return torch.where(computed, COMPUTED, chosen + 1)

    def greedy(self, threshold: float = .5) -> torch.Tensor:
        """The decisions (B, S) in use: computed where m is above the threshold, else the likeliest border."""
        return torch.where(self.m > threshold, COMPUTED, self.borders.argmax(-1) + 1)

    def log_probability(self, decisions: torch.Tensor) -> torch.Tensor:
        """Of decisions (B, S), for each sample: (B,)."""
        decisions = decisions.to(self.compute.device)
        computed = decisions == COMPUTED
        border = self.borders.log_softmax(-1).gather(-1, (decisions - 1).clamp(min=0)[..., None])[..., 0]
        each = torch.where(computed, F.logsigmoid(self.compute), F.logsigmoid(-self.compute) + border)
        return each.sum(-1)

    def entropy(self) -> torch.Tensor:
        """Of all decisions of a sample, in nats: (B,)."""
        m, likely = self.m, self.borders.log_softmax(-1)
        computed = -m * F.logsigmoid(self.compute) - (1 - m) * F.logsigmoid(-self.compute)
        return (computed - (1 - m) * (likely.exp() * likely).sum(-1)).sum(-1)


def cautious(decisions: torch.Tensor) -> tuple[int, ...]:
    """One decision a step for a batch (B, S), which the model computes as one: what its most cautious sample wants.

    A step is computed if any sample asks for it, else reused up to the shallowest border that any has chosen.
    """
    return tuple(decisions.min(0).values.tolist())


def saving(decisions: Sequence[int], borders: Sequence[int]) -> float:
    """C of the reward: the share of the steps that reuse (BlockDance, eq. 6). Where there are several borders, given as
    block numbers, a reusing step counts by its blocks, the deepest border as one."""
    deepest = max(borders) + 1
    return sum((borders[decision - 1] + 1) / deepest for decision in decisions if decision != COMPUTED) / len(decisions)
