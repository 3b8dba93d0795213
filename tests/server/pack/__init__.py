"""Nodes for the tests' ComfyUI only: a loader that needs no file, and outputs that fail in part."""

import torch
from comfy_api.latest import ComfyExtension, io


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


class TestExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [TinyTextEncoderLoader, BlockedImage, LostFile]


async def comfy_entrypoint() -> TestExtension:
    return TestExtension()
