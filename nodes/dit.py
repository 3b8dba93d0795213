"""DiT in ComfyUI: load a class-conditional checkpoint, and say which class to draw."""

import folder_paths
from comfy_api.latest import io

from ..blockdance_core.comfy.models import dit_xl2 as dit

CATEGORY = "model/patch/blockdance/dit"
FOLDER = "diffusion_models"


class BlockDanceDiTLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceDiTLoader",
            display_name="Load DiT (class-conditional)",
            category=CATEGORY,
            description="Load a class-conditional DiT such as DiT-XL-2-256x256.pt or DiT-XL-2-512x512.pt, which draws "
                        "the classes of ImageNet. It takes 'DiT Class Label' as conditioning, a latent of exactly its "
                        "size and the VAE of Stable Diffusion 1.",
            search_aliases=["dit", "DiT-XL/2", "imagenet", "class conditional", "facebook dit"],
            inputs=[io.Combo.Input(
                "model_name", options=folder_paths.get_filename_list(FOLDER),
                tooltip="A checkpoint of facebookresearch/DiT in models/diffusion_models, .pt or .safetensors.")],
            outputs=[io.Model.Output(display_name="model", tooltip="Draws the checkpoint's own size only.")])

    @classmethod
    def execute(cls, model_name: str) -> io.NodeOutput:
        return io.NodeOutput(dit.load_file(folder_paths.get_full_path_or_raise(FOLDER, model_name)))


class BlockDanceDiTLabel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceDiTLabel",
            display_name="DiT Class Label",
            category=CATEGORY,
            description="The class that a DiT draws, in place of a prompt.",
            search_aliases=["dit", "imagenet", "class", "label"],
            inputs=[io.Int.Input(
                "label", default=207, min=dit.NULL_LABEL, max=999,
                tooltip="Index of an ImageNet class: 207 is a golden retriever, 88 a macaw, 980 a volcano. "
                        "-1 is no class, for the sampler's negative input.")],
            outputs=[io.Conditioning.Output(display_name="conditioning", tooltip="For a DiT only.")])

    @classmethod
    def execute(cls, label: int) -> io.NodeOutput:
        return io.NodeOutput(dit.conditioning(label))
