"""The demo's own ComfyUI nodes: what shapes world needs and ComfyUI cannot know. Never shipped with the pack."""

from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import ComfyExtension, io

from . import model, world

WEIGHTS = "shapes_world"
CATEGORY = "model/patch/blockdance/demo"

folder_paths.folder_names_and_paths[WEIGHTS] = (
    [str(Path(folder_paths.models_dir) / WEIGHTS), str(Path(__file__).parent / "weights")], {".safetensors"})


class ShapesWorldModelLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ShapesWorldModelLoader", display_name="Load Shapes World Model", category=CATEGORY,
            description="Load the small PixArt of the BlockDance demo.",
            inputs=[io.Combo.Input(
                "weights", options=folder_paths.get_filename_list(WEIGHTS),
                tooltip="A file written by `python -m demo.train`.")],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="A PixArt that draws 48 x 48 pixels.")])

    @classmethod
    def execute(cls, weights: str) -> io.NodeOutput:
        return io.NodeOutput(model.load(Path(folder_paths.get_full_path_or_raise(WEIGHTS, weights))))


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
            outputs=[io.Conditioning.Output(display_name="CONDITIONING", tooltip="For the demo model only.")])

    @classmethod
    def execute(cls, caption: str) -> io.NodeOutput:
        scene = world.parse_caption(caption) if caption.strip() else None
        return io.NodeOutput([[torch.from_numpy(world.embed(scene)).unsqueeze(0), {}]])  # (1, tokens, channels)


class ShapesWorldExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [ShapesWorldModelLoader, ShapesWorldTextEncode]
