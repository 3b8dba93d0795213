"""The nodes that a workflow can accelerate a model with, and how many blocks they leave to compute."""

from dataclasses import dataclass, field

from ...blockdance_core.auto.method import AutoMethod
from ...blockdance_core.methods.blockdance import BlockDanceMethod
from ...blockdance_core.methods.delta_cache import DeltaCacheMethod
from ...blockdance_core.methods.delta_dit import DeltaDiTMethod
from ...blockdance_core.plan.plan import Transformer
from ...blockdance_core.plan.schedule import Schedule
from .graph import Node, Output, Value


def _auto(speedup: float, profile: str, least_quality: float, quality: str = "custom") -> AutoMethod:
    """As for a model with the general profile: what is measured of yours is in no workflow. `quality` is a name for the
    numbers."""
    return AutoMethod(speedup, lambda *_: None, least_quality=least_quality)


METHOD_OF = {"BlockDanceAuto": _auto, "BlockDancePatch": BlockDanceMethod, "DeltaCachePatch": DeltaCacheMethod,
            "DeltaDiTPatch": DeltaDiTMethod}


@dataclass(frozen=True)
class Accelerator:
    """A node of the pack from MODEL to MODEL with its settings."""
    title: str
    node: str
    inputs: dict[str, Value] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.title.split(" Patch")[0]

    def on(self, model: Output) -> Node:
        return Node(self.node, {"model": model, **self.inputs}, title=self.title, size=(330, 0))

    def computed(self, steps: int, *stacks: int) -> str:
        """The share of a model's blocks that it computes in so many steps, as text such as `78 %`."""
        transformer = Transformer("", stacks)
        plan = METHOD_OF[self.node](**self.inputs).plan(Schedule.even(steps), transformer)
        return f"{plan.computed_blocks(transformer.depth) / (transformer.depth * steps):.0%}".replace("%", " %")


AUTO = Accelerator("BlockDance Auto", "BlockDanceAuto", {
    "speedup": 2., "profile": "auto", "least_quality": 30., "quality": "balanced"})  # last, as numbers make it custom
SAFE_AUTO = Accelerator(AUTO.title, AUTO.node, {**AUTO.inputs, "speedup": 1.5, "least_quality": 40., "quality": "safe"})
BLOCKDANCE = Accelerator("BlockDance Patch", "BlockDancePatch", {"N": 2, "block_index": -1, "start": .40, "end": .95})
DELTA_CACHE = Accelerator(
    "Delta-Cache Patch (deep blocks)", "DeltaCachePatch",
    {"N": 2, "first_block": 7, "n_cached": 21, "start": 0., "end": 1.})
DELTA_DIT = Accelerator("Delta-DiT Patch", "DeltaDiTPatch", {"N": 2, "b": .6, "n_cached": -1, "budget": 0.})
