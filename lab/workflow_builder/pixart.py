"""PixArt-Sigma at 1024 x 1024."""

from .accelerated import about, chain
from .comparison import Sampling, Source
from .graph import File, Node, Workflow

BLOCKS = 28
PROMPT = "a red fox in fresh snow at sunrise, photograph"
T5 = File("t5xxl_fp16.safetensors",
          "https://huggingface.co/comfyanonymous/flux_text_encoders/resolve/main/t5xxl_fp16.safetensors",
          "text_encoders")
SIGMA = File("PixArt-Sigma-XL-2-1024-MS.safetensors",
             "https://huggingface.co/PixArt-alpha/PixArt-Sigma-XL-2-1024-MS/resolve/main/transformer/"
             "diffusion_pytorch_model.safetensors", "diffusion_models")
SIGMA_VAE = File("sdxl_vae.safetensors",
                 "https://huggingface.co/stabilityai/sdxl-vae/resolve/main/sdxl_vae.safetensors", "vae")


def source() -> Source:
    unet = Node("UNETLoader", {"unet_name": SIGMA.name, "weight_dtype": "default"}, files=(SIGMA,), size=(330, 0))
    clip = Node("CLIPLoader", {"clip_name": T5.name, "type": "pixart", "device": "default"}, files=(T5,))
    decoder = Node("VAELoader", {"vae_name": SIGMA_VAE.name}, files=(SIGMA_VAE,))
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT}, title="Prompt", size=(320, 150))
    negative = Node("CLIPTextEncode", {"clip": clip[0], "text": ""}, title="Negative prompt", size=(320, 110))
    latent = Node("EmptyLatentImage", {"width": 1024, "height": 1024, "batch_size": 1})
    return Source((unet, clip, decoder), (positive, negative, latent), unet[0], positive[0], negative[0], latent[0],
                  decoder[0], Sampling(30, 4.5, "dpmpp_2m", "simple"))


def pixart_sigma() -> Workflow:
    model = source()
    made = chain(model, "pixart-sigma")
    return made.workflow("PixArt-Sigma with BlockDance Auto", about("PixArt-Sigma", made, model.sampling.steps),
                         1)
