"""Nodes for the tests' ComfyUI only: a loader that needs no file, outputs that fail in part, lists and a loop."""

import json

import torch
from comfy_api.latest import ComfyExtension, io
from comfy_execution.graph_utils import GraphBuilder


class TinyTextEncoder:
    """What CLIPTextEncode and its kin need of a CLIP: embeddings that depend on the text, of any width."""

    def __init__(self, channels: int, pooled: int):
        self.channels, self.pooled = channels, pooled

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str, add_dict: dict | None = None) -> list:
        generator = torch.Generator().manual_seed(len(tokens))
        conditioning = torch.randn(1, 8, self.channels, generator=generator)  # (1, tokens, channels)
        pooled = torch.randn(1, self.pooled, generator=generator)
        return [[conditioning, {"pooled_output": pooled, **(add_dict or {})}]]


class TinyTextEncoderLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TinyTextEncoderLoader", category="testing",
            inputs=[io.Int.Input("channels", min=1, max=9999), io.Int.Input("pooled", min=1, max=9999)],
            outputs=[io.Clip.Output()])

    @classmethod
    def execute(cls, channels: int, pooled: int) -> io.NodeOutput:
        return io.NodeOutput(TinyTextEncoder(channels, pooled))


class BlockedImage(io.ComfyNode):
    """Keeps what depends on it from running, with a reason."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="BlockedImage", category="testing", inputs=[io.Image.Input("image")],
                         outputs=[io.Image.Output()])

    @classmethod
    def execute(cls, image: torch.Tensor) -> io.NodeOutput:
        return io.NodeOutput(image, block_execution="not today")


class LostFile(io.ComfyNode):
    """Names a file as its output that is not there."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="LostFile", category="testing", is_output_node=True,
                         inputs=[io.Image.Input("image")], outputs=[])

    @classmethod
    def execute(cls, image: torch.Tensor) -> io.NodeOutput:
        return io.NodeOutput(ui={"images": [{"filename": "lost.png", "subfolder": "", "type": "output"}]})


class Numbers(io.ComfyNode):
    """A list of numbers, for each of which the host calls the nodes that get it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="Numbers", category="testing", inputs=[io.String.Input("numbers")],
                         outputs=[io.Int.Output(is_output_list=True)])

    @classmethod
    def execute(cls, numbers: str) -> io.NodeOutput:
        return io.NodeOutput([int(number) for number in numbers.split()])


class Given(io.ComfyNode):
    """A text for any input, as a link gives it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="Given", category="testing", inputs=[io.String.Input("text")],
                         outputs=[io.AnyType.Output()])

    @classmethod
    def execute(cls, text: str) -> io.NodeOutput:
        return io.NodeOutput(json.loads(text))


class JoinedLatents(io.ComfyNode):
    """One batch of all in a list."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="JoinedLatents", category="testing", is_input_list=True,
                         inputs=[io.Latent.Input("latents")], outputs=[io.Latent.Output()])

    @classmethod
    def execute(cls, latents: list[dict]) -> io.NodeOutput:
        return io.NodeOutput({"samples": torch.cat([latent["samples"] for latent in latents])})


class SampledAgain(io.ComfyNode):
    """A loop: samples with these numbers of steps one after the other, each with a report."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SampledAgain", category="testing", enable_expand=True,
            inputs=[io.String.Input("steps"), io.Model.Input("model"), io.Conditioning.Input("positive"),
                    io.Conditioning.Input("negative"), io.Latent.Input("latent")],
            outputs=[io.Latent.Output(), io.String.Output()])

    @classmethod
    def execute(cls, steps: str, model, positive, negative, latent) -> io.NodeOutput:
        first, _, others = steps.partition(" ")
        graph = GraphBuilder()
        sampler = graph.node("KSampler", "sampler", model=model, positive=positive, negative=negative,
                             latent_image=latent, seed=1, steps=int(first), cfg=3., sampler_name="euler",
                             scheduler="simple", denoise=1.)
        report = graph.node("BlockDanceReport", "report", model=model, latent=sampler.out(0), theme="dark")
        if not others:
            return io.NodeOutput(sampler.out(0), report.out(1), expand=graph.finalize())
        graph.node("PreviewAny", "shown", source=report.out(1))
        again = graph.node("SampledAgain", "again", steps=others, model=model, positive=positive, negative=negative,
                           latent=sampler.out(0))
        return io.NodeOutput(again.out(0), again.out(1), expand=graph.finalize())


class TestExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [TinyTextEncoderLoader, BlockedImage, LostFile, Given, Numbers, JoinedLatents, SampledAgain]


async def comfy_entrypoint() -> TestExtension:
    return TestExtension()
