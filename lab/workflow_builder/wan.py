"""Wan 2.1 text-to-video with 1.3 B, and Wan 2.2 with its two experts of 14 B, as in ComfyUI's own templates."""

from .accelerated import Chain, about, video
from .accelerators import AUTO, SAFE_AUTO
from .comparison import Sampling, Source
from .graph import File, Node, Output, Workflow

RATE = 16.
PROMPT = "a fox moving quickly in a beautiful winter scenery nature trees mountains daytime tracking camera"
NEGATIVE = ("overexposed, static, blurred details, subtitles, painting, still picture, gray, worst quality, "
            "low quality, JPEG artifacts, ugly, deformed, extra fingers, messy background, walking backwards")
STEPS_2_2 = 20


def _file(version: str, directory: str, name: str) -> File:
    repository = f"https://huggingface.co/Comfy-Org/Wan_{version}_repackaged/resolve/main/split_files/"
    return File(name, f"{repository}{directory}/{name}", directory)


CLIP = _file("2.1_ComfyUI", "text_encoders", "umt5_xxl_fp8_e4m3fn_scaled.safetensors")
VAE = _file("2.1_ComfyUI", "vae", "wan_2.1_vae.safetensors")
SMALL = _file("2.1_ComfyUI", "diffusion_models", "wan2.1_t2v_1.3B_fp16.safetensors")
HIGH, LOW = (File(name, "https://huggingface.co/Comfy-Org/Wan_2.2_ComfyUI_Repackaged/resolve/main/split_files/"
                        f"diffusion_models/{name}", "diffusion_models")
             for name in ("wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors",
                          "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors"))


def _loader(file: File, title: str = "") -> Node:
    return Node("UNETLoader", {"unet_name": file.name, "weight_dtype": "default"}, title, (file,), (330, 0))


def _shifted(model: Node, shift: float) -> Node:
    return Node("ModelSamplingSD3", {"model": model[0], "shift": shift})


def _source(loaders: tuple[Node, ...], model: Output, width: int, height: int, frames: int, sampling: Sampling
            ) -> Source:
    clip = Node("CLIPLoader", {"clip_name": CLIP.name, "type": "wan", "device": "default"}, files=(CLIP,))
    vae = Node("VAELoader", {"vae_name": VAE.name}, files=(VAE,))
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT}, title="Prompt", size=(320, 150))
    negative = Node("CLIPTextEncode", {"clip": clip[0], "text": NEGATIVE}, title="Negative prompt", size=(320, 180))
    latent = Node("EmptyHunyuanLatentVideo", {"width": width, "height": height, "length": frames, "batch_size": 1})
    return Source((*loaders, clip, vae), (positive, negative, latent), model, positive[0], negative[0], latent[0],
                  vae[0], sampling)


def wan_2_1() -> Workflow:
    unet = _loader(SMALL)
    shifted = _shifted(unet, 8.)
    source = _source((unet, shifted), shifted[0], 832, 480, 33, Sampling(30, 6., "uni_pc", "simple"))
    auto = AUTO.on(source.model)
    sampler = source.sampler(auto[0], source.seed, "")
    decode = source.decode(sampler)
    made = Chain(source.loading, source.prompting, (auto,), (sampler, decode),
                 video(decode[0], "wan2.1", RATE))
    return made.workflow(
        "Wan 2.1 video with BlockDance Auto",
        about("Wan 2.1 text-to-video", made, source.sampling.steps, "The 14 B model works the same way.",
              result="video"),
        4)


def wan_2_2() -> Workflow:
    high, low = _loader(HIGH, "High noise"), _loader(LOW, "Low noise")
    shifted = _shifted(high, 5.), _shifted(low, 5.)
    source = _source((high, shifted[0], low, shifted[1]), shifted[0][0], 640, 640, 81,
                     Sampling(STEPS_2_2, 3.5, "euler", "simple"))
    autos = SAFE_AUTO.on(shifted[0][0]), SAFE_AUTO.on(shifted[1][0])
    first = _half(source, autos[0], source.latent, 0, STEPS_2_2 // 2, "First half, high noise")
    second = _half(source, autos[1], first[0], STEPS_2_2 // 2, 10000, "Second half, low noise")
    decode = source.decode(second)
    made = Chain(source.loading, source.prompting, autos, (first, second, decode), video(decode[0], "wan2.2", RATE))
    return made.workflow(
        "Wan 2.2 video with BlockDance Auto",
        about("Wan 2.2 text-to-video", made, STEPS_2_2,
              "Each of the two models has a node of its own: give both the same *quality*. Begin with *safe*, as half "
              "of the steps are where the video is decided. With a 4-step LoRA there is nothing to gain.",
              result="video", auto=SAFE_AUTO),
        5)


def _half(source: Source, model: Node, latent: Output, start: int, end: int, title: str) -> Node:
    first = start == 0
    return Node("KSamplerAdvanced", {
        "model": model[0], "add_noise": "enable" if first else "disable", "noise_seed": source.seed if first else 0,
        "steps": source.sampling.steps, "cfg": source.sampling.cfg, "sampler_name": source.sampling.sampler,
        "scheduler": source.sampling.scheduler, "positive": source.positive, "negative": source.negative,
        "latent_image": latent, "start_at_step": start, "end_at_step": end,
        "return_with_leftover_noise": "enable" if first else "disable"}, title, size=(300, 0))
