"""Flux.1-dev at 1024 x 1024."""

from .accelerators import AUTO, BLOCKDANCE
from .comparison import Sampling, Source, comparison
from .graph import File, Node, Workflow
from .notes import note
from .pixart import T5

STACKS = 19, 38
PROMPT = ("A fairy tale scene of a young girl with silver curly hair wearing a delicate white dress, standing among "
          "crystal butterflies and glowing glass roses, soft magical light")
UNET = File("flux1-dev.safetensors",
            "https://huggingface.co/Comfy-Org/flux1-dev/resolve/main/flux1-dev.safetensors", "diffusion_models")
CLIP = File("clip_l.safetensors",
            "https://huggingface.co/comfyanonymous/flux_text_encoders/resolve/main/clip_l.safetensors",
            "text_encoders")
VAE = File("ae.safetensors", "https://huggingface.co/Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/split_files/"
                             "vae/ae.safetensors", "vae")


def source() -> Source:
    unet = Node("UNETLoader", {"unet_name": UNET.name, "weight_dtype": "default"}, files=(UNET,), size=(330, 0))
    clip = Node("DualCLIPLoader", {"clip_name1": CLIP.name, "clip_name2": T5.name, "type": "flux",
                                   "device": "default"}, files=(CLIP, T5))
    vae = Node("VAELoader", {"vae_name": VAE.name}, files=(VAE,))
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT}, title="Prompt", size=(320, 180))
    # Flux.1-dev is distilled: it takes its guidance as a number, and cfg 1 never samples the negative prompt
    guided = Node("FluxGuidance", {"conditioning": positive[0], "guidance": 3.5})
    negative = Node("ConditioningZeroOut", {"conditioning": positive[0]})
    latent = Node("EmptySD3LatentImage", {"width": 1024, "height": 1024, "batch_size": 1})
    return Source((unet, clip, vae), (positive, guided, negative, latent), unet[0], guided[0], negative[0],
                  latent[0], vae[0], Sampling(20, 1., "euler", "simple"))


def flux1_dev() -> Workflow:
    flux, name = source(), "blockdance_flux1_dev"
    about = note("BlockDance on Flux.1-dev", f"""
ComfyUI's own template for this model, sampled in full and with **BlockDance Patch** from the same seed.

Blocks are counted through both stacks, {STACKS[0]} double and {STACKS[1]} single ones. In these 20 steps
{BLOCKDANCE.computed(flux.sampling.steps, *STACKS)} of the blocks are computed. No quality was published for Flux: the
node **Compare Image Quality** measures it for your prompt.

**First knob: N**. 3 and 4 are faster and change more. *start* is the next: later is safer.

Flux.1-schnell's 4 steps leave nothing to reuse.
""", flux.loading)
    return comparison(name, "Flux.1-dev", flux, about, BLOCKDANCE)


def auto_flux1_dev() -> Workflow:
    flux, name = source(), "blockdance_auto_flux1_dev"
    steps = flux.sampling.steps
    about = note("BlockDance Auto on Flux.1-dev", f"""
ComfyUI's own template for this model, sampled in full and with **BlockDance Auto** from the same seed.

**The first run measures the model and is not faster**: both pictures are equal. Change *Seed of all samplers* and run
again. Then about {AUTO.computed(steps, *STACKS)} of the {steps} steps are computed and the others forecast. The
measurement is kept in *models/blockdance*, for other workflows, too.

The node says how close to the full picture it expects to get, and computes more steps where that would be below
*least_quality*. **Compare Image Quality** measures it for your prompt.

**First knob: speedup**. 1.5 changes less, 3 is for previews.
""", flux.loading)
    return comparison(name, "Auto on Flux.1-dev", flux, about, AUTO)
