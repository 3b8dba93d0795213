"""The shape of most workflows: the model's usual nodes, with BlockDance Auto between the model and the sampler."""

from dataclasses import dataclass

from ...blockdance_core.auto.planner import count_of
from .accelerators import AUTO, SAFE_AUTO, Accelerator
from .comparison import VIEW, Source
from .graph import Group, Node, Output, Workflow
from .notes import note

OUTPUT = "blockdance"  # the folder of ComfyUI's output in which everything is saved
NOTE = """
**Run it twice.** The first run makes the full {result} and measures the model on the way, which takes no longer. From
the second on it takes {share} the time, with any prompt and seed: some {computed} of {steps} steps are computed, the
others forecast from them. The measurement is kept in *models/blockdance*, for other workflows, too.

**Compare**: turn *enabled* off on the node and run again with the same seed.

**quality** is the one setting to turn: {quality}
"""
OF_BALANCED = "*safe* changes least and is 1.5 times as fast, *fast* is for previews."
OF_SAFE = "*safe* changes least, *balanced* is twice as fast as the full {result}, *fast* is for previews."


@dataclass(frozen=True)
class Chain:
    """The nodes of one way from the files to what is saved, in the order in which they are read."""
    loading: tuple[Node, ...]
    prompting: tuple[Node, ...]
    accelerating: tuple[Node, ...]
    sampling: tuple[Node, ...]  # and decoding
    saving: tuple[Node, ...]

    def workflow(self, name: str, about: Node, pictured: int) -> Workflow:
        return Workflow(name, (
            (Group("", (about,)),),
            (Group("1 Model", self.loading),),
            (Group("2 Prompt", self.prompting),),
            (Group("3 Make it faster", self.accelerating),),
            (Group("4 Sample", self.sampling),),
            (Group("5 Save", self.saving),)), pictured)


def about(model: str, chain: Chain, steps: int, *more: str, result: str = "picture", auto: Accelerator = AUTO) -> Node:
    """The note: how to run it, then what is particular to the model. The steps are shared by as many samplers as there
    are nodes of BlockDance."""
    share, quality = ("about two thirds of", OF_SAFE) if auto == SAFE_AUTO else ("about half", OF_BALANCED)
    samplers = len(chain.accelerating)
    computed = samplers * count_of(steps // samplers, auto.inputs["speedup"])
    text = NOTE.format(result=result, computed=computed, steps=steps, share=share,
                       quality=quality.format(result=result))
    return note(f"{model} with BlockDance Auto", "\n\n".join((text.strip(), *more)), chain.loading)


def chain(source: Source, name: str) -> Chain:
    """With one KSampler and one picture, saved under this name."""
    auto = AUTO.on(source.model)
    sampler = source.sampler(auto[0], source.seed, "")
    decode = source.decode(sampler)
    return Chain(source.loading, source.prompting, (auto,), (sampler, decode), (picture(decode[0], name),))


def custom_sampling(guider: Node, sigmas: Node, sampler: str, latent: Output, seed: int = 1) -> tuple[Node, ...]:
    """The nodes of SamplerCustomAdvanced, which is the last."""
    noise = Node("RandomNoise", {"noise_seed": seed})
    chosen = Node("KSamplerSelect", {"sampler_name": sampler})
    return noise, guider, chosen, sigmas, Node("SamplerCustomAdvanced", {
        "noise": noise[0], "guider": guider[0], "sampler": chosen[0], "sigmas": sigmas[0], "latent_image": latent},
        size=(300, 0))


def picture(images: Output, name: str) -> Node:
    return Node("SaveImage", {"images": images, "filename_prefix": f"{OUTPUT}/{name}"}, size=VIEW)


def video(frames: Output, name: str, rate: float, audio: Output | None = None) -> tuple[Node, Node]:
    """rate: frames a second."""
    sound = {} if audio is None else {"audio": audio}
    made = Node("CreateVideo", {"images": frames, "fps": rate, **sound}, size=(330, 0))
    return made, Node("SaveVideo", {"video": made[0], "filename_prefix": f"{OUTPUT}/{name}", "format": "auto",
                                    "codec": "auto"}, size=(330, 330))
