"""One family of models: how it is sampled by ComfyUI's own template, and what this pack has to give there."""

from dataclasses import dataclass
from math import prod

OUTPUTS = 5  # of the model that Auto keeps at most
BYTES = 4  # of one of their numbers


@dataclass(frozen=True)
class Sampling:
    """The settings of one template. cfg: 0 where it has no guidance by a negative prompt; latent: of one picture or
    video at the template's size, channels first; empty where a run has latents of several kinds."""
    template: str
    model: str
    steps: str
    sampler: str
    scheduler: str
    cfg: float
    latent: tuple[int, ...] = ()
    size: str = ""

    @property
    def passes(self) -> int:
        """In an evaluation."""
        return 1 if self.cfg in (0, 1) else 2

    @property
    def kept(self) -> int:
        """Bytes of outputs that Auto keeps at most, by their sizes."""
        return OUTPUTS * BYTES * prod(self.latent) if self.latent else 0


@dataclass(frozen=True)
class Family:
    """classes: of ComfyUI's diffusion models; node: the one to begin with, None for no node; speedup: for Auto to begin
    with; where: how the node is put in; avoid: what not to expect; measured: what was, in words, with its page."""
    name: str
    classes: tuple[str, ...]
    samplings: tuple[Sampling, ...]
    node: str | None
    speedup: float | None
    where: str
    avoid: str
    measured: str = ""

    def __post_init__(self):
        if (self.node == "BlockDanceAuto") != (self.speedup is not None):
            raise ValueError(f"{self.name}: give a speed-up for Auto, and for Auto alone")
        if self.speedup is not None and not 1 < self.speedup <= 4:
            raise ValueError(f"{self.name}: speedup is {self.speedup:g}; use more than 1, up to 4")
