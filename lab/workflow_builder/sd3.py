"""Stable Diffusion 3.5 large at 1024 x 1024, as in ComfyUI's own template."""

from .accelerated import about, chain
from .comparison import Sampling, Source
from .graph import File, Node, Workflow

PROMPT = ("a bottle with a pink and red galaxy inside it on top of a wooden table in a modern kitchen with a window to "
          "the mountains, bright sun, clouds, forest")
LARGE = File("sd3.5_large_fp8_scaled.safetensors",
             "https://huggingface.co/Comfy-Org/stable-diffusion-3.5-fp8/resolve/main/"
             "sd3.5_large_fp8_scaled.safetensors", "checkpoints")


def source() -> Source:
    loader = Node("CheckpointLoaderSimple", {"ckpt_name": LARGE.name}, files=(LARGE,), size=(380, 0))
    positive = Node("CLIPTextEncode", {"clip": loader[1], "text": PROMPT}, title="Prompt", size=(320, 180))
    negative = Node("CLIPTextEncode", {"clip": loader[1], "text": ""}, title="Negative prompt", size=(320, 110))
    latent = Node("EmptySD3LatentImage", {"width": 1024, "height": 1024, "batch_size": 1})
    return Source((loader,), (positive, negative, latent), loader[0], positive[0], negative[0], latent[0], loader[2],
                  Sampling(20, 4.01, "euler", "sgm_uniform"))


def sd35_large() -> Workflow:
    model = source()
    made = chain(model, "sd3.5-large")
    return made.workflow(
        "SD3.5 large with BlockDance Auto",
        about("Stable Diffusion 3.5 large", made, model.sampling.steps,
              "The file holds the text encoders and the VAE."),
        6)
