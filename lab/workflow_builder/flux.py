"""Flux.1-dev and Flux.2-dev at 1024 x 1024, as in ComfyUI's own templates."""

from ...blockdance_core.closeness import ALIKE_FROM, DETAILS_FROM
from .accelerated import Chain, about, chain, custom_sampling, picture
from .accelerators import AUTO
from .comparison import Sampling, Source, comparison
from .graph import File, Node, Workflow
from .notes import note
from .pixart import T5

PROMPT = ("A fairy tale scene of a young girl with silver curly hair wearing a delicate white dress, standing among "
          "crystal butterflies and glowing glass roses, soft magical light")
UNET = File("flux1-dev.safetensors",
            "https://huggingface.co/Comfy-Org/flux1-dev/resolve/main/flux1-dev.safetensors", "diffusion_models")
CLIP = File("clip_l.safetensors",
            "https://huggingface.co/comfyanonymous/flux_text_encoders/resolve/main/clip_l.safetensors",
            "text_encoders")
VAE = File("ae.safetensors", "https://huggingface.co/Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/split_files/"
                             "vae/ae.safetensors", "vae")
PROMPT_2 = ("high fashion, vintage couture, street photography, luxury fashion shoot, neo brutalist architecture, "
            "pastel paints")
STEPS_2 = 20
_REPACKAGED_2 = "https://huggingface.co/Comfy-Org/flux2-dev/resolve/main/split_files/"
UNET_2 = File("flux2_dev_fp8mixed.safetensors", f"{_REPACKAGED_2}diffusion_models/flux2_dev_fp8mixed.safetensors",
              "diffusion_models")
CLIP_2 = File("mistral_3_small_flux2_bf16.safetensors",
              f"{_REPACKAGED_2}text_encoders/mistral_3_small_flux2_bf16.safetensors", "text_encoders")
VAE_2 = File("full_encoder_small_decoder.safetensors", "https://huggingface.co/black-forest-labs/FLUX.2-small-decoder/"
                                                       "resolve/main/full_encoder_small_decoder.safetensors", "vae")


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
    flux = source()
    made = chain(flux, "flux1-dev")
    return made.workflow(
        "Flux.1-dev with BlockDance Auto",
        about("Flux.1-dev", made, flux.sampling.steps,
              "Flux.1-schnell and Turbo LoRAs have so few steps that there is nothing to gain."),
        4)


def before_and_after() -> Workflow:
    flux = source()
    text = note("Flux.1-dev, before and after", f"""
One seed of Flux.1-dev, in full and with **BlockDance Auto**, side by side.

**Run it twice, with another seed the second time** (*Seed of all samplers*). The first run measures the model, so both
pictures are equal. In the second {AUTO.inputs["speedup"]:g} times fewer steps are computed for the right picture.

**Compare Image Quality** says how far the pictures are apart: {ALIKE_FROM:g} dB and more are hard to tell apart, from
{DETAILS_FROM:g} dB on small details differ.

**quality** is the one setting to turn: *safe* changes least, *fast* is for previews.
""", flux.loading)
    return comparison("Before and after, with Flux.1-dev", "blockdance/before and after", flux, text, AUTO,
                      0)


def flux2_dev() -> Workflow:
    unet = Node("UNETLoader", {"unet_name": UNET_2.name, "weight_dtype": "default"}, files=(UNET_2,), size=(330, 0))
    clip = Node("CLIPLoader", {"clip_name": CLIP_2.name, "type": "flux2", "device": "default"}, files=(CLIP_2,))
    vae = Node("VAELoader", {"vae_name": VAE_2.name}, files=(VAE_2,))
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT_2}, title="Prompt", size=(320, 150))
    guided = Node("FluxGuidance", {"conditioning": positive[0], "guidance": 4.})
    latent = Node("EmptyFlux2LatentImage", {"width": 1024, "height": 1024, "batch_size": 1})
    auto = AUTO.on(unet[0])
    guider = Node("BasicGuider", {"model": auto[0], "conditioning": guided[0]})
    sigmas = Node("Flux2Scheduler", {"steps": STEPS_2, "width": 1024, "height": 1024})
    sampling = custom_sampling(guider, sigmas, "euler", latent[0])
    decode = Node("VAEDecode", {"samples": sampling[-1][0], "vae": vae[0]})
    made = Chain((unet, clip, vae), (positive, guided, latent), (auto,), (*sampling, decode),
                 (picture(decode[0], "flux2-dev"),))
    return made.workflow(
        "Flux.2-dev with BlockDance Auto",
        about("Flux.2-dev", made, STEPS_2, "Editing with reference pictures works, too. The Turbo LoRA has eight "
                                           "steps, which leave nothing to gain."),
        3)
