"""Wan 2.1 text-to-video, 1.3 B: the case of Open-Sora in the BlockDance paper, with a model that ComfyUI has."""

from .accelerators import BLOCKDANCE
from .comparison import Sampling, Source
from .graph import File, Node, Workflow
from .notes import note
from .video import video_comparison

BLOCKS, FRAMES, RATE = 30, 33, 16.
PROMPT = "a fox moving quickly in a beautiful winter scenery nature trees mountains daytime tracking camera"
NEGATIVE = ("overexposed, static, blurred details, subtitles, painting, still picture, gray, worst quality, "
            "low quality, JPEG artifacts, ugly, deformed, extra fingers, messy background, walking backwards")
_REPACKAGED = "https://huggingface.co/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files/"


def _file(directory: str, name: str) -> File:
    return File(name, f"{_REPACKAGED}{directory}/{name}", directory)


UNET = _file("diffusion_models", "wan2.1_t2v_1.3B_fp16.safetensors")
CLIP = _file("text_encoders", "umt5_xxl_fp8_e4m3fn_scaled.safetensors")
VAE = _file("vae", "wan_2.1_vae.safetensors")


def _source() -> Source:
    unet = Node("UNETLoader", {"unet_name": UNET.name, "weight_dtype": "default"}, files=(UNET,), size=(330, 0))
    clip = Node("CLIPLoader", {"clip_name": CLIP.name, "type": "wan", "device": "default"}, files=(CLIP,))
    vae = Node("VAELoader", {"vae_name": VAE.name}, files=(VAE,))
    shifted = Node("ModelSamplingSD3", {"model": unet[0], "shift": 8.})
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT}, title="Prompt", size=(320, 150))
    negative = Node("CLIPTextEncode", {"clip": clip[0], "text": NEGATIVE}, title="Negative prompt", size=(320, 180))
    latent = Node("EmptyHunyuanLatentVideo", {"width": 832, "height": 480, "length": FRAMES, "batch_size": 1})
    return Source((unet, clip, vae, shifted), (positive, negative, latent), shifted[0], positive[0], negative[0],
                  latent[0], vae[0], Sampling(30, 6., "uni_pc", "simple"))


def wan_text_to_video() -> Workflow:
    source = _source()
    about = note("BlockDance on Wan 2.1 text-to-video", f"""
ComfyUI's own template for the 1.3 B model: {FRAMES} frames of 832 x 480, sampled in full and with **BlockDance Patch**
from the same seed. The slider compares a frame in the middle, **Compare Image Quality** all of them.

In these 30 steps {BLOCKDANCE.computed(source.sampling.steps, BLOCKS)} of the blocks are computed. The paper measured
video on Open-Sora, where reuse began much earlier: 34.8 % faster with N = 2, 45.2 % with 3.

**First knob: start**. Video allows earlier reuse than pictures; 0.25 is the paper's choice for it. Then *N*.
""", source.loading)
    return video_comparison("blockdance_wan2.1_text_to_video", "Wan 2.1 text-to-video", source, about, BLOCKDANCE,
                            FRAMES, RATE)
