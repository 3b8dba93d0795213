"""Stable Diffusion XL at 1024 x 1024: the base model of ComfyUI's own template, without the refiner."""

from .accelerated import about, chain
from .comparison import Sampling, Source
from .graph import File, Node, Workflow

PROMPT = "evening sunset scenery blue sky nature, glass bottle with a galaxy in it"
BASE = File("sd_xl_base_1.0.safetensors",
            "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
            "checkpoints")


def source() -> Source:
    loader = Node("CheckpointLoaderSimple", {"ckpt_name": BASE.name}, files=(BASE,), size=(380, 0))
    positive = Node("CLIPTextEncode", {"clip": loader[1], "text": PROMPT}, title="Prompt", size=(320, 150))
    negative = Node("CLIPTextEncode", {"clip": loader[1], "text": "text, watermark"}, title="Negative prompt",
                    size=(320, 110))
    latent = Node("EmptyLatentImage", {"width": 1024, "height": 1024, "batch_size": 1})
    return Source((loader,), (positive, negative, latent), loader[0], positive[0], negative[0], latent[0], loader[2],
                  Sampling(25, 8., "euler", "normal"))


def sdxl() -> Workflow:
    model = source()
    made = chain(model, "sdxl")
    return made.workflow(
        "SDXL with BlockDance Auto",
        about("Stable Diffusion XL", made, model.sampling.steps,
              "A U-Net: SD1.5 and its finetunes work the same way. With Turbo, Lightning, LCM or DMD2 there is nothing "
              "to gain."),
        7)
