"""PixArt-Sigma and PixArt-alpha at 1024 x 1024."""

from .accelerators import BLOCKDANCE, DELTA_DIT
from .comparison import Sampling, Source, comparison
from .graph import File, Node, Workflow
from .notes import note

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
ALPHA = File("PixArt-XL-2-1024-MS.safetensors",
             "https://huggingface.co/PixArt-alpha/PixArt-XL-2-1024-MS/resolve/main/transformer/"
             "diffusion_pytorch_model.safetensors", "diffusion_models")
ALPHA_VAE = File("vae-ft-mse-840000-ema-pruned.safetensors",
                 "https://huggingface.co/stabilityai/sd-vae-ft-mse-original/resolve/main/"
                 "vae-ft-mse-840000-ema-pruned.safetensors", "vae")


def sigma(steps: int) -> Source:
    return _source(SIGMA, SIGMA_VAE, steps, "CLIPTextEncode", {})


def alpha(steps: int) -> Source:
    return _source(ALPHA, ALPHA_VAE, steps, "CLIPTextEncodePixArtAlpha", {"width": 1024, "height": 1024})


def _source(model: File, vae: File, steps: int, encoder: str, size: dict[str, int]) -> Source:
    unet = Node("UNETLoader", {"unet_name": model.name, "weight_dtype": "default"}, files=(model,), size=(330, 0))
    clip = Node("CLIPLoader", {"clip_name": T5.name, "type": "pixart", "device": "default"}, files=(T5,))
    decoder = Node("VAELoader", {"vae_name": vae.name}, files=(vae,))
    positive = Node(encoder, {"clip": clip[0], **size, "text": PROMPT}, title="Prompt", size=(320, 150))
    negative = Node(encoder, {"clip": clip[0], **size, "text": ""}, title="Negative prompt", size=(320, 110))
    latent = Node("EmptyLatentImage", {"width": 1024, "height": 1024, "batch_size": 1})
    return Source((unet, clip, decoder), (positive, negative, latent), unet[0], positive[0], negative[0], latent[0],
                  decoder[0], Sampling(steps, 4.5, "dpmpp_2m", "simple"))


def pixart_sigma() -> Workflow:
    source, name = sigma(30), "blockdance_pixart_sigma"
    about = note("BlockDance on PixArt-Sigma", f"""
The same seed is sampled twice, in full and with **BlockDance Patch**, and compared under a slider.

From 40 % of sampling on, every second step reuses the output of the first 21 of {BLOCKS} blocks:
{BLOCKDANCE.computed(source.sampling.steps, BLOCKS)} of the blocks are computed. The map on the node shows which, and
after a run what was executed and how long it took.

**First knob: N**. 3 and 4 are faster and change more of the picture. *start* is the next: later is safer.

Bypass the node (Ctrl+B) and both branches are equal.
""", source.loading)
    return comparison(name, "PixArt-Sigma", source, about, BLOCKDANCE)


def pixart_alpha() -> Workflow:
    source, name = alpha(30), "blockdance_pixart_alpha"
    about = note("BlockDance on PixArt-alpha", f"""
The model of the BlockDance paper, with its 30 steps. The same seed is sampled in full and with **BlockDance Patch**.

Published on a GPU: N = 2 is 25.4 % faster at SSIM 0.89, 3 is 32.6 % at 0.83, 4 is 39.4 % at 0.79. Those runs reuse 22
blocks up to the last step, as **BlockDance Preset** does; the patch as it comes reuses 21 and ends at 95 %:
{BLOCKDANCE.computed(source.sampling.steps, BLOCKS)} of the blocks are computed.

**First knob: N**. *start* is the next: later is safer.
""", source.loading)
    return comparison(name, "PixArt-alpha", source, about, BLOCKDANCE)


def delta_dit() -> Workflow:
    source, name = alpha(20), "delta_dit_pixart_alpha"
    about = note("Delta-DiT on PixArt-alpha", f"""
The setting of the Delta-DiT paper: 20 steps, every second one skips 21 of {BLOCKS} blocks, the deep ones while the
outline forms (the first 60 %), the shallow ones while the details do, and adds the change that they made one step
before. {DELTA_DIT.computed(source.sampling.steps, BLOCKS)} of the blocks are computed; published: 1.60x fewer
multiply-accumulates.

It reuses from the second step on, so it moves further from the full picture than BlockDance does.

**First knob: n_cached**, the blocks that a cached step skips: 12 stays closer. Or set *budget*, the cost as a
fraction of full compute.
""", source.loading)
    return comparison(name, "Delta-DiT on PixArt-alpha", source, about, DELTA_DIT)
