"""Qwen-Image 2512, as in ComfyUI's own template without its Lightning LoRA."""

from .accelerated import about, chain
from .comparison import Sampling, Source
from .graph import File, Node, Workflow

PROMPT = ("a small bookshop at a street corner on a rainy evening, warm light in the window, a sign above the door "
          "that says \"Second Chapter\", photograph")
NEGATIVE = "low resolution, low quality, deformed limbs, oversaturated, waxy skin, blurred or distorted text"
_REPACKAGED = "https://huggingface.co/Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files/"


def _file(directory: str, name: str) -> File:
    return File(name, f"{_REPACKAGED}{directory}/{name}", directory)


UNET = _file("diffusion_models", "qwen_image_2512_fp8_e4m3fn.safetensors")
CLIP = _file("text_encoders", "qwen_2.5_vl_7b_fp8_scaled.safetensors")
VAE = _file("vae", "qwen_image_vae.safetensors")


def source() -> Source:
    unet = Node("UNETLoader", {"unet_name": UNET.name, "weight_dtype": "default"}, files=(UNET,), size=(330, 0))
    clip = Node("CLIPLoader", {"clip_name": CLIP.name, "type": "qwen_image", "device": "default"}, files=(CLIP,))
    vae = Node("VAELoader", {"vae_name": VAE.name}, files=(VAE,))
    shifted = Node("ModelSamplingAuraFlow", {"model": unet[0], "shift": 3.1})
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT}, title="Prompt", size=(320, 180))
    negative = Node("CLIPTextEncode", {"clip": clip[0], "text": NEGATIVE}, title="Negative prompt", size=(320, 130))
    latent = Node("EmptySD3LatentImage", {"width": 1328, "height": 1328, "batch_size": 1})
    return Source((unet, clip, vae, shifted), (positive, negative, latent), shifted[0], positive[0], negative[0],
                  latent[0], vae[0], Sampling(50, 4., "euler", "simple"))


def qwen_image() -> Workflow:
    model = source()
    made = chain(model, "qwen-image")
    return made.workflow(
        "Qwen-Image with BlockDance Auto",
        about("Qwen-Image", made, model.sampling.steps,
              "50 steps leave much to forecast: try *fast*, too. Use it in place of the Lightning LoRA, whose four "
              "steps leave nothing."),
        5)
