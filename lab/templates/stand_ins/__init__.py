"""Nodes for the server that rehearses: in the place of loaders, encoders and latents, tiny ones that need no file."""

import sys
import types
from pathlib import Path

import comfy.conds
import comfy.nested_tensor
import comfy.utils
import torch
from comfy_api.latest import ComfyExtension, io

# This repository as the package `blockdance`, as the tests have it
package = types.ModuleType("blockdance")
package.__path__ = [str(Path(__file__).resolve().parents[3])]
sys.modules.setdefault("blockdance", package)

from blockdance.tests.models.tiny import Tiny, seeded  # noqa: E402
from blockdance.tests.models.unets import SD, XL  # noqa: E402
from blockdance.tests.models.zoo import ZOO  # noqa: E402

CATEGORY = "rehearsal"
TINY: dict[str, Tiny] = {**ZOO, "SD": SD, "XL": XL}
APART = ("Flux.2 with a reference", "MiniMax-H3")  # ComfyUI itself cannot compute cond and uncond of these in one call
EXPERT = .02  # how far another expert's weights are from the first one's
MUCH = 1e15  # more bytes than any device has free


def condition(value: object) -> comfy.conds.CONDRegular:
    if isinstance(value, torch.Tensor):
        return comfy.conds.CONDRegular(value)
    tensors = isinstance(value, list) and isinstance(value[0], torch.Tensor)
    return (comfy.conds.CONDList if tensors else comfy.conds.CONDConstant)(value)


class TinyModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="TinyModel", category=CATEGORY, outputs=[io.Model.Output()],
                         inputs=[io.Combo.Input("model", options=list(TINY)), io.Int.Input("expert", min=0, max=99)])

    @classmethod
    def execute(cls, model: str, expert: int) -> io.NodeOutput:
        tiny = TINY[model]
        patcher = tiny.build()
        if expert:
            with torch.no_grad():
                for number, parameter in enumerate(patcher.model.parameters()):
                    noise = seeded(*parameter.shape, seed=1000 * expert + number)
                    parameter.add_(EXPERT * parameter.std(correction=0) * noise)
        patcher.model.extra_conds = lambda prompt_type="", **_: {
            key: condition(value) for key, value in tiny.inputs(seed=2 if prompt_type == "positive" else 20).items()}
        if model in APART:
            patcher.model.memory_required = lambda *_, **__: MUCH
        return io.NodeOutput(patcher)


class AnyPrompt(io.ComfyNode):
    """The tiny model brings its own conditions."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="AnyPrompt", category=CATEGORY, inputs=[], outputs=[io.Conditioning.Output()])

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput([[torch.zeros(1, 1, 1), {}]])  # (1, tokens, channels)


class TinyLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="TinyLatent", category=CATEGORY, outputs=[io.Latent.Output()],
                         inputs=[io.Combo.Input("model", options=list(TINY))])

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        tiny = TINY[model]
        # Not quite zero: ComfyUI gives an empty one other channels if the model's class wants them
        latent = torch.full((1, *tiny.latent), 1e-6)
        if sizes := tiny.others().get("latent_shapes"):  # several in one, which ComfyUI packs as it samples
            latent = comfy.nested_tensor.NestedTensor(comfy.utils.unpack_latents(latent, sizes))
        return io.NodeOutput({"samples": latent})


class StandInExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [TinyModel, AnyPrompt, TinyLatent]


async def comfy_entrypoint() -> StandInExtension:
    return StandInExtension()
