"""The demo's own ComfyUI nodes: what its worlds need and ComfyUI cannot know. Never shipped with the pack."""

from pathlib import Path
from types import ModuleType

import folder_paths
import torch
from comfy_api.latest import ComfyExtension, io

from . import model, rewards, text_encoder, video, world  # noqa: F401 (rewards are found among loaded modules)

WEIGHTS = "shapes_world"
PICTURES = "_pictures.safetensors"  # what files of models of picture world end in
CATEGORY = "model/patch/blockdance/demo"

folder_paths.folder_names_and_paths[WEIGHTS] = (
    [str(Path(folder_paths.models_dir) / WEIGHTS), str(Path(__file__).parent / "weights")], {".safetensors"})

# What was measured of the demo's models and trained for them. The user's folders come first: new files go there
for name, folder in (("blockdance", "profiles"), ("blockdance_ada", "policies")):
    for path in (Path(folder_paths.models_dir) / name, Path(__file__).parent / folder):
        folder_paths.add_model_folder_path(name, str(path))


def _weights(of_pictures: bool) -> list[str]:
    return [name for name in folder_paths.get_filename_list(WEIGHTS) if name.endswith(PICTURES) == of_pictures]


class ShapesWorldModelLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ShapesWorldModelLoader", display_name="Load Shapes World Model", category=CATEGORY,
            description="Load a small model of the BlockDance demo; its file says which architecture it is.",
            inputs=[io.Combo.Input(
                "weights", options=_weights(of_pictures=False),
                tooltip="A file written by `python -m demo.train`.")],
            outputs=[io.Model.Output(
                display_name="MODEL", tooltip="A model that draws 48 x 48 pixels, or 16 frames of 24 x 24.")])

    @classmethod
    def execute(cls, weights: str) -> io.NodeOutput:
        return io.NodeOutput(model.load(Path(folder_paths.get_full_path_or_raise(WEIGHTS, weights))))


class PictureWorldLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PictureWorldLoader", display_name="Load Picture World", category=CATEGORY,
            description="Load a small model of the BlockDance demo that draws pictures, with its text encoder.",
            inputs=[io.Combo.Input(
                "weights", options=_weights(of_pictures=True),
                tooltip="A file written by `python -m demo.train`.")],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="A model that draws 64 x 64 pixels."),
                     io.Clip.Output(display_name="CLIP", tooltip="For CLIP Text Encode: captions such as 'fox face, "
                                    "fluent, large, center, on striped blue'.")])

    @classmethod
    def execute(cls, weights: str) -> io.NodeOutput:
        path = Path(folder_paths.get_full_path_or_raise(WEIGHTS, weights))
        return io.NodeOutput(model.load(path), PictureWorldCLIP(model.load_text_encoder(path)))


class PictureWorldCLIP:
    """Takes the place of a text encoder where ComfyUI wants a CLIP: tokens are the caption itself."""

    def __init__(self, encoder: text_encoder.TextEncoder):
        self._encoder = encoder

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str) -> list:
        """CONDITIONING. Raises ValueError for words that the model was not trained with."""
        return model.conditioning_of(self._encoder(self._encoder.tokens(tokens)))


def _conditioning(shapes: ModuleType, caption: str) -> io.NodeOutput:
    """By the module of pictures or that of videos; an empty caption is the unconditional prompt."""
    scene = shapes.parse_caption(caption) if caption.strip() else None
    return io.NodeOutput(model.conditioning(shapes.embed(scene)[None]))


class ShapesWorldCLIP:
    """Takes the place of a text encoder where ComfyUI wants a CLIP: tokens are the caption itself."""

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str) -> list:
        """CONDITIONING. Raises ValueError for what is no caption of shapes world."""
        scene = world.parse_caption(tokens) if tokens.strip() else None
        return model.conditioning(world.embed(scene)[None])


class ShapesWorldCLIPLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ShapesWorldCLIPLoader", display_name="Load Shapes World CLIP", category=CATEGORY,
            description="What encodes captions of shapes world, for nodes that want a CLIP.",
            inputs=[], outputs=[io.Clip.Output(display_name="CLIP", tooltip="For the demo models of pictures.")])

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(ShapesWorldCLIP())


class ShapesWorldTextEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ShapesWorldTextEncode", display_name="Shapes World Text Encode", category=CATEGORY,
            description="Turn a caption such as 'a red circle at top left, on navy' into conditioning.",
            inputs=[io.String.Input(
                "caption", multiline=True,
                tooltip="One to four times 'a <color> <shape> at <place>', then 'on <background>'. "
                        "Empty: the unconditional prompt.")],
            outputs=[io.Conditioning.Output(
                display_name="CONDITIONING", tooltip="For the demo models that draw pictures.")])

    @classmethod
    def execute(cls, caption: str) -> io.NodeOutput:
        return _conditioning(world, caption)


class ShapesWorldVideoTextEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ShapesWorldVideoTextEncode", display_name="Shapes World Video Text Encode", category=CATEGORY,
            description="Turn a caption such as 'a red circle moving right from top left, on navy' into conditioning.",
            inputs=[io.String.Input(
                "caption", multiline=True,
                tooltip="Once or twice 'a <color> <shape> moving <direction> from <place>' or 'a <color> <shape> "
                        "staying at <place>', then 'on <background>'. Empty: the unconditional prompt.")],
            outputs=[io.Conditioning.Output(
                display_name="CONDITIONING", tooltip="For the demo model that draws videos.")])

    @classmethod
    def execute(cls, caption: str) -> io.NodeOutput:
        return _conditioning(video, caption)


class ShapesWorldEmptyVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ShapesWorldEmptyVideo", display_name="Empty Shapes World Video", category=CATEGORY,
            description="The latent that a video of the demo is sampled from.",
            inputs=[io.Int.Input("batch_size", default=1, min=1, max=64, tooltip="How many videos at once.")],
            outputs=[io.Latent.Output(display_name="LATENT", tooltip="16 frames of 24 x 24 pixels.")])

    @classmethod
    def execute(cls, batch_size: int) -> io.NodeOutput:
        return io.NodeOutput({"samples": torch.zeros(batch_size, *video.LATENT)})


class ShapesWorldVideoFrames(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ShapesWorldVideoFrames", display_name="Shapes World Video Frames", category=CATEGORY,
            description="The frames of sampled videos of the demo, one video after the other.",
            inputs=[io.Latent.Input("samples", tooltip="What the sampler drew.")],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="16 pictures a video.")])

    @classmethod
    def execute(cls, samples: dict) -> io.NodeOutput:
        return io.NodeOutput(model.pixels(samples["samples"]).flatten(0, 1))


class ShapesWorldExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [PictureWorldLoader, ShapesWorldModelLoader, ShapesWorldCLIPLoader, ShapesWorldTextEncode,
                ShapesWorldVideoTextEncode, ShapesWorldEmptyVideo, ShapesWorldVideoFrames]
