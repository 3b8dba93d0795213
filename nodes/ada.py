"""BlockDance-Ada: where its policies are, the patch that samples by one, and the reward that one is trained with."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import comfy.ops
import folder_paths
import torch
from comfy_api.latest import io

from ..blockdance_core.ada import rewards
from ..blockdance_core.ada.method import AdaMethod
from ..blockdance_core.ada.policy_file import SUFFIX, PolicyError, PolicyFile, read
from ..blockdance_core.comfy.attach import fingerprint_of
from ..blockdance_core.files import Files
from ..blockdance_core.plan.plan import COMPUTE, Plan, Transformer
from ..blockdance_core.plan.schedule import Schedule
from .patch import CATEGORY, TRANSFORMER, PatchNode, enabled_input

FOLDER = "blockdance_ada"  # below models/
KINDS = ["ssim", "distance", "clip", "image_reward", "named"]  # of rewards
Policy = io.Custom("BLOCKDANCE_ADA_POLICY")
Reward = io.Custom("BLOCKDANCE_REWARD")


def register() -> None:
    """Make the folder known, so that extra_model_paths.yaml may add others."""
    folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def files() -> Files:
    return Files(tuple(map(Path, folder_paths.get_folder_paths(FOLDER))), SUFFIX, "policy", PolicyError,
                 "Train one with Train BlockDance-Ada")


def load(name: str) -> PolicyFile:
    """The policy in a file of this name, its weights moved to where it is asked by ComfyUI. Raises PolicyError."""
    return read(files().find(name), comfy.ops.manual_cast)


class BlockDanceAdaLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceAdaLoader",
            display_name="Load BlockDance-Ada Policy",
            category=f"{CATEGORY}/ada",
            description="Load a policy that Train BlockDance-Ada has written, for the BlockDance-Ada Patch. A policy "
                        "is made for one model.",
            search_aliases=["blockdance", "ada", "policy", "adaptive"],
            inputs=[io.Combo.Input("policy", options=files().names(),
                                   tooltip="A file in models/blockdance_ada, which Train BlockDance-Ada writes.")],
            outputs=[Policy.Output(display_name="policy", tooltip="For the BlockDance-Ada Patch.")],
        )

    @classmethod
    def validate_inputs(cls, policy: str | None = None) -> bool | str:
        try:
            if policy is not None:  # None for a link
                files().find(policy)
        except PolicyError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, policy: str | None = None) -> str:
        """A file may have changed under its name."""
        return files().state(policy)  # None for a link: of all

    @classmethod
    def execute(cls, policy: str) -> io.NodeOutput:
        return io.NodeOutput(load(policy))


@dataclass(frozen=True)
class _Unknown:
    """What is known of a run before there is a policy: that the policy will decide."""
    name: str = "BlockDance-Ada"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return Plan((COMPUTE,) * schedule.steps, "the steps to reuse are chosen while sampling, for each picture")


class BlockDanceAdaPatch(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceAdaPatch",
            display_name="BlockDance-Ada Patch",
            category=f"{CATEGORY}/papers",
            description="The method of BlockDance-Ada, which needs a trained network, for researchers; for everyday "
                        "use take BlockDance Auto. Makes a diffusion transformer faster by as much as the picture "
                        "allows: a small network looks at it once its structure has settled and chooses which of the "
                        "later steps reuse the blocks of earlier ones. Put it between the model loader and the "
                        "sampler.",
            search_aliases=["ada", "adaptive", "blockdance paper", "policy"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER + " The one that the policy was trained on."),
                Policy.Input("policy", tooltip="From Load BlockDance-Ada Policy or Train BlockDance-Ada."),
                io.Float.Input("threshold", default=.5, min=0., max=1., step=.01, optional=True, advanced=True,
                               tooltip="A step is computed where the policy gives it more than this. 0.5 is the "
                                       "paper's; more reuses more steps, in the policy's own order. 0.4 to 0.7 are "
                                       "sensible."),
                enabled_input(),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, reusing blocks as the policy "
                                                                   "chooses.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def method(cls, policy: PolicyFile | None = None, threshold: float = .5) -> AdaMethod | _Unknown:
        return _Unknown() if policy is None else replace(policy.policy, threshold=threshold)

    @classmethod
    def method_for(cls, model, policy: PolicyFile, threshold: float = .5) -> AdaMethod:
        policy.card.check(fingerprint_of(model), policy.source)
        return cls.method(policy, threshold)


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
            outputs=[Reward.Output(display_name="reward", tooltip="For Train BlockDance-Ada.")],
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
