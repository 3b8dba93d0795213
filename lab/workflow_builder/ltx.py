"""LTX-2 text-to-video with sound: the first stage of ComfyUI's own template."""

from .accelerated import Chain, about, custom_sampling, video
from .accelerators import AUTO
from .graph import File, Node, Workflow

STEPS, RATE, FRAMES = 20, 24, 121
PROMPT = ("A close-up of a cheerful puppet with curly yarn hair who holds a small red umbrella. Rain falls gently. She "
          "looks upward and begins to sing: \"It's raining, it's pouring!\"")
NEGATIVE = "blurry, low quality, still frame, frames, watermark, overlay, titles, subtitles"
CHECKPOINT = File("ltx-2-19b-dev-fp8.safetensors",
                  "https://huggingface.co/Lightricks/LTX-2/resolve/main/ltx-2-19b-dev-fp8.safetensors", "checkpoints")
ENCODER = File("gemma_3_12B_it_fp4_mixed.safetensors",
               "https://huggingface.co/Comfy-Org/ltx-2/resolve/main/split_files/text_encoders/"
               "gemma_3_12B_it_fp4_mixed.safetensors", "text_encoders")


def ltx_2() -> Workflow:
    loader = Node("CheckpointLoaderSimple", {"ckpt_name": CHECKPOINT.name}, files=(CHECKPOINT,), size=(380, 0))
    clip = Node("LTXAVTextEncoderLoader", {"text_encoder": ENCODER.name, "ckpt_name": CHECKPOINT.name,
                                           "device": "default"}, files=(ENCODER, CHECKPOINT))
    sound_vae = Node("LTXVAudioVAELoader", {"ckpt_name": CHECKPOINT.name}, files=(CHECKPOINT,))
    positive = Node("CLIPTextEncode", {"clip": clip[0], "text": PROMPT}, title="Prompt", size=(320, 180))
    negative = Node("CLIPTextEncode", {"clip": clip[0], "text": NEGATIVE}, title="Negative prompt", size=(320, 130))
    timed = Node("LTXVConditioning", {"positive": positive[0], "negative": negative[0], "frame_rate": float(RATE)})
    frames = Node("EmptyLTXVLatentVideo", {"width": 768, "height": 512, "length": FRAMES, "batch_size": 1})
    sound = Node("LTXVEmptyLatentAudio", {"frames_number": FRAMES, "frame_rate": RATE, "batch_size": 1,
                                          "audio_vae": sound_vae[0]})
    latent = Node("LTXVConcatAVLatent", {"video_latent": frames[0], "audio_latent": sound[0]})
    auto = AUTO.on(loader[0])
    guider = Node("CFGGuider", {"model": auto[0], "positive": timed[0], "negative": timed[1], "cfg": 4.})
    sigmas = Node("LTXVScheduler", {"steps": STEPS, "max_shift": 2.05, "base_shift": .95, "stretch": True,
                                    "terminal": .1, "latent": latent[0]})
    sampling = custom_sampling(guider, sigmas, "euler", latent[0])
    parts = Node("LTXVSeparateAVLatent", {"av_latent": sampling[-1][0]})
    decode = Node("VAEDecodeTiled", {"samples": parts[0], "vae": loader[2], "tile_size": 512, "overlap": 64,
                                     "temporal_size": 4096, "temporal_overlap": 8})
    heard = Node("LTXVAudioVAEDecode", {"samples": parts[1], "audio_vae": sound_vae[0]})
    made = Chain((loader, clip, sound_vae), (positive, negative, timed, frames, sound, latent), (auto,), sampling,
                 (parts, decode, heard, *video(decode[0], "ltx-2", float(RATE), heard[0])))
    return made.workflow(
        "LTX-2 video with BlockDance Auto",
        about("LTX-2", made, STEPS,
              "This is the first stage of ComfyUI's template, at the size that is saved. Its second stage has three "
              "steps, which leave nothing to gain. Its sampler adds new noise in every step, which spoils forecasts: "
              "here it is *euler*.", "Listen to the sound, too: it is forecast with the picture.", result="video"),
        7)
