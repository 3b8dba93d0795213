"""The shape of most workflows: a baseline and an accelerated branch from one seed, side by side."""

from dataclasses import dataclass

from .accelerators import Accelerator
from .graph import Columns, Group, Node, Output, Workflow

VIEW = (400, 440)


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
    vae: Output | None  # None where `decode` takes none
    sampling: Sampling
    seed: int = 1

    def sampler(self, model: Output, seed: int | Output, title: str, steps: int | None = None) -> Node:
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


def side_by_side(before: Output, after: Output) -> tuple[Node, Node]:
    """Two pictures in one, which both renderers of the page show."""
    stitched = Node("ImageStitch", {"image1": before, "direction": "right", "match_image_size": True,
                                    "spacing_width": 8, "spacing_color": "black", "image2": after}, size=(400, 0))
    return stitched, Node("PreviewImage", {"images": stitched[0]}, title="In full | accelerated", size=(400, 300))


def distance(baseline: Branch, other: Branch) -> Node:
    """How far the pictures are from each other, with a picture of it."""
    return Node("BlockDanceQuality", {"reference": baseline.decode[0], "image": other.decode[0]}, size=(400, 480))


def judged(baseline: Branch, other: Branch) -> tuple[Node, ...]:
    """The two pictures side by side, and their distance."""
    return *side_by_side(baseline.decode[0], other.decode[0]), distance(baseline, other)


def saved(of: Branch, folder: str) -> Node:
    return Node("SaveImage", {"images": of.decode[0], "filename_prefix": f"{folder}/{of.title}"},
                title=f"Save {of.title}", size=VIEW)


@dataclass(frozen=True)
class Sides:
    """A baseline and an accelerated branch from one seed, in the columns of a workflow up to their decoded images."""
    patch: Node
    baseline: Branch
    accelerated: Branch
    columns: Columns


def sides(source: Source, about: Node, accelerator: Accelerator) -> Sides:
    seed, patch = seed_of(source), accelerator.on(source.model)
    baseline = branch(source, source.model, seed, "baseline")
    accelerated = branch(source, patch[0], seed, accelerator.method)
    return Sides(patch, baseline, accelerated, (
        (Group("", (about,)),),
        (Group("1 Models", source.loading),),
        (Group("2 Prompt", (*source.prompting, seed)),),
        (Group("3 Accelerate", (patch,)),),
        (Group("4 Sample in full", (baseline.sampler, baseline.decode)),
         Group("4 Sample accelerated", (accelerated.sampler, accelerated.decode)))))


def comparison(name: str, folder: str, source: Source, about: Node, accelerator: Accelerator, pictured: int
               ) -> Workflow:
    """The workflow with a baseline and one accelerated branch, which saves in this folder of ComfyUI's output."""
    made = sides(source, about, accelerator)
    files = saved(made.baseline, folder), saved(made.accelerated, folder)
    columns = (
        *made.columns,
        (Group("5 Compare", judged(made.baseline, made.accelerated)),),
        (Group("6 Save", files),))
    return Workflow(name, columns, pictured)
