"""HunyuanVideo 1.5 text-to-video at 720p, as in ComfyUI's own template without its enlarging to 1080p."""

from .accelerated import Chain, about, custom_sampling, video
from .accelerators import AUTO
from .graph import File, Node, Workflow

STEPS, RATE = 20, 24.
PROMPT = ("A paper airplane released from the top of a skyscraper glides through the canyons of a city, crosses the "
          "traffic and flies over streets, turning upward between the buildings. The camera follows it.")


def _file(directory: str, name: str) -> File:
    return File(name, "https://huggingface.co/Comfy-Org/HunyuanVideo_1.5_repackaged/resolve/main/split_files/"
                      f"{directory}/{name}", directory)


UNET = _file("diffusion_models", "hunyuanvideo1.5_720p_t2v_fp16.safetensors")
CLIPS = (_file("text_encoders", "qwen_2.5_vl_7b_fp8_scaled.safetensors"),
         _file("text_encoders", "byt5_small_glyphxl_fp16.safetensors"))
VAE = _file("vae", "hunyuanvideo15_vae_fp16.safetensors")


def hunyuan_video() -> Workflow:
    unet = Node("UNETLoader", {"unet_name": UNET.name, "weight_dtype": "default"}, files=(UNET,), size=(330, 0))
    clip = Node("DualCLIPLoader", {"clip_name1": CLIPS[0].name, "clip_name2": CLIPS[1].name,
                                   "type": "hunyuan_video_15", "device": "default"}, files=CLIPS)
    vae = Node("VAELoader", {"vae_name": VAE.name}, files=(VAE,))
    shifted = Node("ModelSamplingSD3", {"model": unet[0], "shift": 7.})
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT}, title="Prompt", size=(320, 180))
    negative = Node("CLIPTextEncode", {"clip": clip[0], "text": ""}, title="Negative prompt", size=(320, 110))
    latent = Node("EmptyHunyuanVideo15Latent", {"width": 1280, "height": 720, "length": 121, "batch_size": 1})
    auto = AUTO.on(shifted[0])
    guider = Node("CFGGuider", {"model": auto[0], "positive": positive[0], "negative": negative[0], "cfg": 6.})
    sigmas = Node("BasicScheduler", {"model": auto[0], "scheduler": "simple", "steps": STEPS, "denoise": 1.})
    sampling = custom_sampling(guider, sigmas, "euler", latent[0])
    decode = Node("VAEDecode", {"samples": sampling[-1][0], "vae": vae[0]})
    made = Chain((unet, clip, vae, shifted), (positive, negative, latent), (auto,), (*sampling, decode),
                 video(decode[0], "hunyuan-video-1.5", RATE))
    return made.workflow(
        "HunyuanVideo 1.5 with BlockDance Auto",
        about("HunyuanVideo 1.5", made, STEPS, "ComfyUI's template has EasyCache for this, switched off: take one of "
                                               "the two.", result="video"),
        6)
