"""BlockDance-Ada Reward: what Train BlockDance-Ada takes for the quality of a picture."""

import torch
from comfy_api.latest import io

from ..blockdance_core.ada import rewards
from . import policies
from .patch import CATEGORY

KINDS = ["ssim", "distance", "clip", "image_reward", "named"]


class BlockDanceAdaReward(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceAdaReward",
            display_name="BlockDance-Ada Reward",
            category=f"{CATEGORY}/ada",
            description="What Train BlockDance-Ada takes for the quality of a picture. Without this node it is the "
                        "similarity to the full run.",
            search_aliases=["blockdance", "ada", "reward", "clip score", "ssim", "imagereward"],
            inputs=[
                io.Combo.Input(
                    "kind", options=KINDS,
                    tooltip="ssim = structural similarity to the full run. distance = minus its root mean square "
                            "difference in percent, for models that hardly change. clip = how well the picture fits "
                            "the caption; needs clip and clip_vision. image_reward = the paper's; needs the Python "
                            "package image-reward and its weights. named = one that another pack offers."),
                io.String.Input("name", default="", optional=True, advanced=True,
                                tooltip="For kind named: the name under which a pack offers its reward."),
                io.Clip.Input("clip", optional=True,
                              tooltip="For kind clip: a CLIP text model alone, such as CLIP-L."),
                io.ClipVision.Input("clip_vision", optional=True,
                                    tooltip="For kind clip: the vision model of the same CLIP."),
            ],
            outputs=[policies.Reward.Output(display_name="reward", tooltip="For Train BlockDance-Ada.")],
        )

    @classmethod
    def execute(cls, kind: str, name: str = "", clip=None, clip_vision=None) -> io.NodeOutput:
        return io.NodeOutput(reward_of(kind, name, clip, clip_vision))


def reward_of(kind: str, name: str, clip, clip_vision) -> rewards.Reward:
    """Raises ValueError where something is missing."""
    if kind == "clip" and None in (clip, clip_vision):
        raise ValueError("the reward clip compares picture and caption: connect clip and clip_vision")
    makers = {
        "ssim": rewards.SSIM, "distance": rewards.Distance, "image_reward": rewards.ImageReward.load,
        "named": lambda: rewards.Named.find(name),
        "clip": lambda: rewards.ClipScore(lambda picture: clip_vision.encode_image(picture).image_embeds,
                                          lambda caption: _embed(clip, caption))}
    return makers[kind]()


def _embed(clip, caption: str) -> torch.Tensor:
    """The embedding (1, D) of a caption in the space that CLIP shares between words and pictures."""
    _, pooled = clip.encode_from_tokens(clip.tokenize(caption), return_pooled=True)
    return pooled
