"""Stable Diffusion 3 medium and 3.5 large at 1024 x 1024, from checkpoints with their text encoders and VAE."""

from .accelerators import BLOCKDANCE
from .comparison import Sampling, Source, comparison
from .graph import File, Node, Workflow
from .notes import note

PROMPT = ("a bottle with a pink and red galaxy inside it on top of a wooden table in a modern kitchen with a window to "
          "the mountains, bright sun, clouds, forest")
MEDIUM = File("sd3_medium_incl_clips_t5xxlfp8.safetensors",
              "https://huggingface.co/stabilityai/stable-diffusion-3-medium/resolve/main/"
              "sd3_medium_incl_clips_t5xxlfp8.safetensors", "checkpoints")
LARGE = File("sd3.5_large_fp8_scaled.safetensors",
             "https://huggingface.co/Comfy-Org/stable-diffusion-3.5-fp8/resolve/main/"
             "sd3.5_large_fp8_scaled.safetensors", "checkpoints")


def _source(checkpoint: File, sampling: Sampling) -> Source:
    loader = Node("CheckpointLoaderSimple", {"ckpt_name": checkpoint.name}, files=(checkpoint,), size=(380, 0))
    positive = Node("CLIPTextEncode", {"clip": loader[1], "text": PROMPT}, title="Prompt", size=(320, 180))
    negative = Node("CLIPTextEncode", {"clip": loader[1], "text": ""}, title="Negative prompt", size=(320, 110))
    latent = Node("EmptySD3LatentImage", {"width": 1024, "height": 1024, "batch_size": 1})
    return Source((loader,), (positive, negative, latent), loader[0], positive[0], negative[0], latent[0], loader[2],
                  sampling)


def sd3_medium() -> Workflow:
    source, name = _source(MEDIUM, Sampling(28, 4.5, "dpmpp_2m", "sgm_uniform")), "blockdance_sd3_medium"
    about = note("BlockDance on Stable Diffusion 3 medium", f"""
The same seed is sampled in full and with **BlockDance Patch**, and compared under a slider.

In these 28 steps {BLOCKDANCE.computed(source.sampling.steps, 24)} of the blocks are computed. Published on a GPU for
SD3: N = 2 is 25.3 % faster at SSIM 0.96, 3 is 31.3 % at 0.95, 4 is 37.0 % at 0.92.

**First knob: N**. *start* is the next: later is safer.

The file is behind a licence: accept it on the model's page first. It holds the text encoders and the VAE.
""", source.loading)
    return comparison(name, "SD3 medium", source, about, BLOCKDANCE)


def sd35_large() -> Workflow:
    source, name = _source(LARGE, Sampling(20, 4.01, "euler", "sgm_uniform")), "blockdance_sd3.5_large"
    about = note("BlockDance on Stable Diffusion 3.5 large", f"""
ComfyUI's own template for this model, sampled in full and with **BlockDance Patch** from the same seed.

In these 20 steps {BLOCKDANCE.computed(source.sampling.steps, 38)} of the blocks are computed. No quality was published
for 3.5: the node **Compare Image Quality** measures it for your prompt.

**First knob: N**. 3 and 4 are faster and change more. More steps leave more to reuse.

The file holds the text encoders and the VAE.
""", source.loading)
    return comparison(name, "SD3.5 large", source, about, BLOCKDANCE)
