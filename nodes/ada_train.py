"""Train BlockDance-Ada: a policy for one model, by reinforcement learning."""

import re
from pathlib import Path

import comfy.samplers
import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io

from ..blockdance_core.ada import captions as caption_files
from ..blockdance_core.ada.policy_file import SUFFIX
from ..blockdance_core.ada.rewards import SSIM
from ..blockdance_core.ada.training import BASELINES, Progress, Settings
from ..blockdance_core.comfy.ada_rollouts import Rollouts, Sampling
from ..blockdance_core.comfy.ada_training import NETWORKS, train
from ..blockdance_core.comfy.models.architectures import transformer_of
from ..blockdance_core.figures.canvas import THEMES, to_tensor
from ..blockdance_core.figures.curves import of_progress
from ..blockdance_core.methods.method import three_quarters
from . import server as notify
from .ada import Policy, Reward, files, load
from .patch import CATEGORY, TRANSFORMER
from .server import callable_by_scripts

ENDINGS = (".txt", ".csv", ".jsonl")
BORDERS = {"three quarters": (.75,), "all": (1.,), "three quarters or all": (.75, 1.), "half, three quarters or all":
           (.5, .75, 1.)}
CURVE = 800  # pixels of the picture that the node shows while it trains


class BlockDanceAdaTrain(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        captions = [path.name for path in Path(folder_paths.get_input_directory()).glob("*")  # none without a folder
                    if path.name.lower().endswith(ENDINGS)]
        return io.Schema(
            node_id="BlockDanceAdaTrain",
            display_name="Train BlockDance-Ada",
            category=f"{CATEGORY}/ada",
            description="Trains a policy for the BlockDance-Ada Patch: it tries decisions on your captions and learns "
                        "which save most and cost least quality. Takes hours for a large model; interrupted, it goes "
                        "on when the same workflow is queued again.",
            search_aliases=["blockdance", "ada", "train", "reinforcement learning", "policy"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER),
                io.Clip.Input("clip", tooltip="Encodes the captions, as for CLIP Text Encode."),
                io.Latent.Input("latent_image", tooltip="An empty latent of your usual size; of a batch, the first is "
                                                        "taken."),
                io.Combo.Input("captions", options=sorted(captions),
                               tooltip="A file in ComfyUI's input folder: .txt with a caption a line, .csv with a "
                                       "column caption, or .jsonl. The paper has 10000 captions; 200 teach something."),
                io.String.Input("name", default="my-model",
                                tooltip="Of the policy in models/blockdance_ada. A name whose training was interrupted "
                                        "goes on with it."),
                io.String.Input("negative", default="", multiline=True, tooltip="The negative prompt of all captions."),
                io.Int.Input("seed", default=0, min=0, max=2 ** 63 - 1,
                             control_after_generate=io.ControlAfterGenerate.fixed,
                             tooltip="Of the first caption's noise, each next caption adding 1, and of the "
                                     "training's own random choices."),
                io.Int.Input("steps", default=30, min=8, max=500,
                             tooltip="Your usual number of steps. A policy of 30 steps serves 20 or 50, too."),
                io.Float.Input("cfg", default=4., min=0., max=100., step=.1, round=.01,
                               tooltip="Your usual guidance: 1 for distilled models, 3 to 7 for most others."),
                io.Combo.Input("sampler_name", options=comfy.samplers.SAMPLER_NAMES, default="euler",
                               tooltip="Your usual sampler, as in KSampler."),
                io.Combo.Input("scheduler", options=comfy.samplers.SCHEDULER_NAMES, default="simple",
                               tooltip="Your usual scheduler, as in KSampler."),
                io.Float.Input("quality_weight", default=2., min=0., max=1000., step=.1,
                               tooltip="Lambda of the reward C + lambda * Q: how much quality counts against steps "
                                       "saved. 2 is the paper's; more reuses less."),
                io.Int.Input("epochs", default=100, min=1, max=10000,
                             tooltip="Times that all captions are gone through. The paper has 100."),
                io.Combo.Input("borders", options=list(BORDERS), default="three quarters", advanced=True,
                               tooltip="Which blocks a reusing step skips: the first three quarters, as in the paper, "
                                       "all of them, or as the policy chooses for each step."),
                io.Float.Input("rho", default=.4, min=.1, max=.9, step=.05, advanced=True,
                               tooltip="The share of the sampling that is always computed, before the policy looks; "
                                       "0.4 in the paper, 0.2 to 0.5 are sensible."),
                io.Int.Input("batch", default=16, min=1, max=1024, advanced=True,
                             tooltip="Captions between two steps of learning; 16 in the paper, 8 to 64 are sensible."),
                io.Int.Input("rollouts", default=1, min=1, max=64, advanced=True,
                             tooltip="Decisions tried for each caption of a batch; 1 in the paper, 4 with the baseline "
                                     "mean."),
                io.Combo.Input("baseline", options=list(BASELINES), default="none", advanced=True,
                               tooltip="What a reward is compared with, which makes learning steadier: nothing, as in "
                                       "the paper, the mean of the caption's other rollouts, or its greedy decisions."),
                io.Float.Input("learning_rate", default=1e-5, min=1e-7, max=1., step=1e-6, round=1e-7, advanced=True,
                               tooltip="Of Adam: 0.00001 in the paper; 0.001 for the small network."),
                io.Combo.Input("network", options=list(NETWORKS), default="full", advanced=True,
                               tooltip="full = 0.08 billion parameters, as in the paper. small = 0.2 million."),
                io.Int.Input("start_interval", default=1, min=1, max=10, advanced=True,
                             tooltip="Begin at what BlockDance with this N does, which needs fewer captions; 2 is a "
                                     "good start. 1 = begin with computing as likely as not."),
                io.Float.Input("validation", default=.1, min=0., max=.9, step=.05, advanced=True,
                               tooltip="Share of the captions, at the end of the file, that only judge; 0.1 is usual."),
                io.Int.Input("patience", default=10, min=0, max=1000, advanced=True,
                             tooltip="Epochs without a better judgement after which training ends; 10 is usual, "
                                     "0 = never."),
                io.Vae.Input("vae", optional=True,
                             tooltip="Makes pictures of the latents for the reward. Without it, latents are compared "
                                     "as if they were pictures, which only ssim and distance can use."),
                Reward.Input("reward", optional=True, tooltip="From BlockDance-Ada Reward. Without it, the "
                                                                       "structural similarity to the full run."),
            ],
            outputs=[
                Policy.Output(display_name="policy", tooltip="For the BlockDance-Ada Patch."),
                io.String.Output(display_name="name", tooltip="Of the file in models/blockdance_ada."),
                io.Image.Output(display_name="curve", tooltip="Saving, quality and reward, batch by batch."),
            ],
            is_output_node=True,  # it may run alone
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # server.py says why
        )

    @classmethod
    def fingerprint_inputs(cls, captions: str | None = None, name: str | None = None, **_) -> str:
        """Files may have changed under their names, which are None for links, and a training may go on."""
        paths = files().folders[0] / f"{name}{SUFFIX}", Path(folder_paths.get_input_directory()) / (captions or "")
        return f"{[path.stat().st_mtime_ns if path.is_file() else 0 for path in paths]}"

    @classmethod
    @callable_by_scripts
    def execute(cls, model, clip, latent_image, captions: str, name: str, negative: str, seed: int, steps: int,
                cfg: float, sampler_name: str, scheduler: str, quality_weight: float, epochs: int, borders: str,
                rho: float, batch: int, rollouts: int, baseline: str, learning_rate: float, network: str,
                start_interval: int, validation: float, patience: int, vae=None, reward=None) -> io.NodeOutput:
        path = files().folders[0] / f"{file_name(name)}{SUFFIX}"
        settings = Settings(quality_weight, learning_rate, batch, epochs, rollouts, baseline, validation, patience,
                            start_interval, seed)
        texts = caption_files.read(Path(folder_paths.get_input_directory()) / file_name(captions))
        node_id, shown = notify.id_of(cls), comfy.utils.ProgressBar(1)
        latent = comfy.sample.fix_empty_latent_channels(  # as KSampler does
            model, latent_image["samples"][:1], latent_image.get("downscale_ratio_spacial"),
            latent_image.get("downscale_ratio_temporal"))

        def encode(text: str) -> list:
            return clip.encode_from_tokens_scheduled(clip.tokenize(text))

        curve = None

        def on_batch(progress: Progress, batches: int) -> None:
            nonlocal curve
            curve = of_progress(progress, THEMES["dark"])
            shown.update_absolute(progress.batches, batches, ("JPEG", curve, CURVE))
            notify.show(words(progress, batches), node_id)
        studio = Rollouts(
            model, texts, encode, negative, latent,
            Sampling(steps, cfg, sampler_name, scheduler), border_blocks(borders, model), reward or SSIM(),
            pictures if vae is None else vae.decode, path.with_suffix(".scenes"), rho, seed)
        with torch.inference_mode(False), torch.enable_grad():
            train(studio, settings, network, path, on_batch=on_batch)
        notify.show(f"{path.name} is trained", node_id)
        return io.NodeOutput(load(path.name), path.name, to_tensor(curve))


def file_name(name: str) -> str:
    """The name, if it can be one of a file in its folder and nowhere else. Raises ValueError."""
    if not re.fullmatch(r"[\w][\w .()+-]{0,100}", name) or name != name.strip(" ."):
        raise ValueError(f"{name!r} is no name of a file: use letters, digits, spaces, '.', '-', '_'")
    return name


def border_blocks(borders: str, model) -> tuple[int, ...]:
    """The deepest reused blocks that a choice of BORDERS means in a model."""
    depth = transformer_of(model.model.diffusion_model).depth
    blocks = {three_quarters(depth) if share == .75 else max(1, int(depth * share)) for share in BORDERS[borders]}
    return tuple(sorted(block - 1 for block in blocks))


def pictures(latent: torch.Tensor) -> torch.Tensor:
    """A latent (1, C, ...) as pictures (frames, H, W, C): from -1 to 1 becomes 0 to 1."""
    frames = latent[0] if latent.ndim > 4 else latent[0][:, None]  # (C, T, H, W)
    return (frames / 2 + .5).movedim(0, -1)


def words(progress: Progress, batches: int) -> str:
    score = progress.scores[-1]
    text = f"batch {progress.batches} of {batches}: saves {score.saving:.0%}, quality {score.quality:.3f}"
    if progress.validations:
        judged = progress.validations[-1][1]
        text += f"; on other captions {judged.saving:.0%}, {judged.quality:.3f}"
    return text
