"""The shape of most workflows: a baseline and accelerated branches from one seed, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from .accelerators import Accelerator
from .graph import Group, Node, Output

VIEW = (400, 470)


@dataclass(frozen=True)
class Sampling:
    steps: int
    cfg: float
    sampler: str
    scheduler: str


@dataclass(frozen=True)
class Source:
    """A model as ComfyUI loads it, what it is asked for, and how it is sampled."""
    loading: tuple[Node, ...]
    prompting: tuple[Node, ...]  # encoders and the empty latent
    model: Output
    positive: Output
    negative: Output
    latent: Output
    vae: Output
    sampling: Sampling
    seed: int = 1

    def sampler(self, model: Output, seed: Output, title: str, steps: int | None = None) -> Node:
        return Node("KSampler", {
            "model": model, "seed": seed, "steps": steps or self.sampling.steps, "cfg": self.sampling.cfg,
            "sampler_name": self.sampling.sampler, "scheduler": self.sampling.scheduler, "positive": self.positive,
            "negative": self.negative, "latent_image": self.latent, "denoise": 1.}, title=title, size=(300, 0))

    def decode(self, sampler: Node) -> Node:
        return Node("VAEDecode", {"samples": sampler[0], "vae": self.vae})


@dataclass(frozen=True)
class Branch:
    """A way to sample the same picture: its nodes up to the decoded images."""
    title: str
    sampler: Node
    decode: Node


def seed_of(source: Source) -> Node:
    """One node for all samplers, so that a new seed is one edit."""
    return Node("PrimitiveInt", {"value": source.seed}, title="Seed of all samplers")


def branch(source: Source, model: Output, seed: Node, title: str, steps: int | None = None) -> Branch:
    sampler = source.sampler(model, seed[0], f"KSampler: {title}", steps)
    return Branch(title, sampler, source.decode(sampler))


def compare(baseline: Branch, other: Branch, prefix: str) -> Group:
    """The two pictures under a slider, their distance, and the accelerated one as a file."""
    return Group(f"{other.title} and baseline", (
        Node("ImageCompare", {"image_a": baseline.decode[0], "image_b": other.decode[0]}, size=VIEW),
        Node("BlockDanceQuality", {"reference": baseline.decode[0], "image": other.decode[0]}),
        Node("SaveImage", {"images": other.decode[0], "filename_prefix": f"{prefix}/{other.title}"})))


def comparison(prefix: str, source: Source, about: Node, accelerators: Sequence[Accelerator],
               fewer_steps: Sequence[int] = ()) -> tuple[tuple[tuple[Group, ...], ...], Node]:
    """The columns, and the first of the accelerating nodes. `fewer_steps` are branches without any."""
    seed = seed_of(source)
    patches = [accelerator.on(source.model) for accelerator in accelerators]
    baseline = branch(source, source.model, seed, "baseline")
    others = [branch(source, patch[0], seed, accelerator.title.split(" Patch")[0])
              for accelerator, patch in zip(accelerators, patches)]
    others += [branch(source, source.model, seed, f"{steps} steps", steps) for steps in fewer_steps]
    columns = (
        (Group("", (about,)),),
        (Group("1 Models", source.loading),),
        (Group("2 Prompt", (*source.prompting, seed)),),
        (Group("3 Accelerate", tuple(patches)),),
        (Group("4 Sample in full", (baseline.sampler, baseline.decode)),
         *([Group("4 Sample accelerated", (others[0].sampler, others[0].decode))] if len(others) == 1 else [])),
        *([tuple(Group(f"4 Sample: {other.title}", (other.sampler, other.decode)) for other in others)]
          if len(others) > 1 else []),
        *((compare(baseline, other, prefix),) for other in others))
    return columns, patches[0]
