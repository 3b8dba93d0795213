"""Z-Image, the base model, as in ComfyUI's own template."""

from .accelerated import about, chain
from .comparison import Sampling, Source
from .graph import File, Node, Workflow

PROMPT = ("a surreal fashion photograph, seen from below: a dancer in a wide blue dress between giant blue flowers, a "
          "clear pale sky behind")
_TURBO = "https://huggingface.co/Comfy-Org/z_image_turbo/resolve/main/split_files/"
UNET = File("z_image_bf16.safetensors", "https://huggingface.co/Comfy-Org/z_image/resolve/main/split_files/"
                                        "diffusion_models/z_image_bf16.safetensors", "diffusion_models")
CLIP = File("qwen_3_4b.safetensors", f"{_TURBO}text_encoders/qwen_3_4b.safetensors", "text_encoders")
VAE = File("ae.safetensors", f"{_TURBO}vae/ae.safetensors", "vae")


def source() -> Source:
    unet = Node("UNETLoader", {"unet_name": UNET.name, "weight_dtype": "default"}, files=(UNET,), size=(330, 0))
    clip = Node("CLIPLoader", {"clip_name": CLIP.name, "type": "lumina2", "device": "default"}, files=(CLIP,))
    vae = Node("VAELoader", {"vae_name": VAE.name}, files=(VAE,))
    shifted = Node("ModelSamplingAuraFlow", {"model": unet[0], "shift": 3.})
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT}, title="Prompt", size=(320, 180))
    negative = Node("CLIPTextEncode", {"clip": clip[0], "text": ""}, title="Negative prompt", size=(320, 110))
    latent = Node("EmptySD3LatentImage", {"width": 1024, "height": 1024, "batch_size": 1})
    return Source((unet, clip, vae, shifted), (positive, negative, latent), shifted[0], positive[0], negative[0],
                  latent[0], vae[0], Sampling(25, 4., "res_multistep", "simple"))


def z_image() -> Workflow:
    model = source()
    made = chain(model, "z-image")
    return made.workflow(
        "Z-Image with BlockDance Auto",
        about("Z-Image", made, model.sampling.steps,
              "For the base model. Z-Image-Turbo has eight steps, which leave nothing to gain."),
        2)
