"""The families that people use most. Settings are those stored in ComfyUI's templates, 0.11.27 of ComfyUI 0.30."""

from .family import Family, Sampling

AUTO = "BlockDanceAuto"
BEHIND = "Between the last LoRA or ModelSampling node and the sampler (or guider)."
TURBO = "With its Turbo or Lightning LoRA (4 to 8 steps) there is nothing left to skip: take the node out, or leave " \
        "its speed-up at 1."
FLUX_TIME = "Time on one H200, weights random: 1.98x as fast at 2x in bf16, 1.87x in fp8, 10 steps " \
            "([results](results.md#time-on-a-gpu))."
WAN_TIME = "Time of Wan 2.1 14B on one H200, weights random: 1.98x as fast at 2x, 8 steps, 17 frames " \
           "([results](results.md#time-on-a-gpu))."
SD3_TIME = "Time of SD3 medium on one H200, weights random: 1.86x as fast at 2x in bf16, 1.46x in fp8, 10 steps " \
           "([results](results.md#time-on-a-gpu))."

FAMILIES = (
    Family("Flux.1", ("Flux",), (
        Sampling("flux_dev_full_text_to_image", "Flux.1-dev", "20", "euler", "simple", 1., (16, 128, 128),
                 "1024 x 1024"),
        Sampling("flux1_krea_dev", "Flux.1 Krea-dev", "20", "euler", "simple", 1., (16, 128, 128), "1024 x 1024")),
        AUTO, 2., BEHIND, "Flux.1-schnell has 4 steps: nothing to skip. At cfg 1 a skipped step saves one call of the "
        "model, not two: the factor is the same.", FLUX_TIME),
    Family("Flux.2", ("Flux",), (
        Sampling("image_flux2_text_to_image", "Flux.2 dev", "20", "euler", "Flux2Scheduler", 0., (128, 64, 64),
                 "1024 x 1024"),
        Sampling("image_flux2_klein_text_to_image", "Flux.2 klein 4B base", "20", "euler", "Flux2Scheduler", 5.,
                 (128, 64, 64), "1024 x 1024")),
        AUTO, 2., BEHIND, f"{TURBO} The distilled klein models have 4 steps. The nodes that reuse blocks work with "
        "reference pictures, too; with Flux KV Cache the first step is always computed."),
    Family("Qwen-Image", ("QwenImageTransformer2DModel",), (
        Sampling("image_qwen_image", "Qwen-Image", "20", "euler", "simple", 4., (16, 1, 166, 166), "1328 x 1328"),
        Sampling("image_qwen_Image_2512", "Qwen-Image-2512", "50", "euler", "simple", 4., (16, 1, 166, 166),
                 "1328 x 1328")),
        AUTO, 2., f"{BEHIND} With the 50 steps of 2512 begin at 3.", TURBO),
    Family("Qwen-Image-Edit", ("QwenImageTransformer2DModel",), (
        Sampling("image_qwen_image_edit_2511", "Qwen-Image-Edit-2511", "40", "euler", "simple", 4.),
        Sampling("image_qwen_image_edit_2509", "Qwen-Image-Edit-2509, without its LoRA", "20", "euler", "simple", 4.)),
        AUTO, 2., f"{BEHIND} CFGNorm may stand on either side.", f"{TURBO} The template of 2509 has it on. An edit "
        "that keeps most of the picture shows errors earlier than a new picture does: compare once."),
    Family("Wan 2.1", ("WanModel", "VaceWanModel", "CameraWanModel"), (
        Sampling("text_to_video_wan", "Wan 2.1 1.3B", "30", "uni_pc", "simple", 6., (16, 9, 60, 104),
                 "33 frames of 832 x 480"),
        Sampling("image_to_video_wan", "Wan 2.1 14B image to video", "20", "uni_pc", "simple", 6., (16, 9, 64, 64),
                 "33 frames of 512 x 512")),
        AUTO, 2., BEHIND, "VACE, camera and audio branches are part of what is skipped with Auto; with the nodes that "
        "reuse blocks they are computed at every step.", WAN_TIME),
    Family("Wan 2.2", ("WanModel",), (
        Sampling("video_wan2_2_14B_t2v", "Wan 2.2 14B, two models", "20, split 10 and 10", "euler", "simple", 3.5,
                 (16, 21, 80, 80), "81 frames of 640 x 640"),
        Sampling("video_wan2_2_5B_ti2v", "Wan 2.2 5B", "20", "uni_pc", "simple", 5., (48, 31, 44, 80),
                 "121 frames of 1280 x 704")),
        AUTO, 1.5, "One node for each of the two models, between its ModelSamplingSD3 and its sampler.",
        "The two samplers of the 14B are two runs: nothing is carried from the first to the second, and the first step "
        "of each is computed. The first has half of the steps in the noise where the picture is decided: on the demo's "
        "models of emoji, sampled in this way, 2x is no closer than 10 steps (1.5x is, by 4 to 5 dB). With "
        "the lightx2v LoRAs (2 and 2 steps) there is nothing to skip."),
    Family("HunyuanVideo 1.5", ("HunyuanVideo",), (
        Sampling("video_hunyuan_video_1.5_720p_t2v", "HunyuanVideo 1.5 720p", "20", "euler", "simple", 6.,
                 (32, 31, 45, 80), "121 frames of 1280 x 720"),),
        AUTO, 2., f"{BEHIND} Leave the template's EasyCache bypassed, as it is: two caches add up their errors.",
        "The second stage, which makes it larger in 8 steps at cfg 1, has little to skip."),
    Family("LTX-2", ("LTXAVModel",), (
        Sampling("video_ltx2_t2v", "LTX-2 19B, first stage", "20", "euler_ancestral", "LTXVScheduler", 4.),
        Sampling("video_ltx2_3_t2v", "LTX-2.3 22B with the distilled LoRA, first stage", "8", "euler", "given sigmas",
                 1.)),
        AUTO, 1.5, "In front of the guider of the first stage.", "Its sampler adds noise at every step, which no "
        "forecast can know: expect less than elsewhere, or take euler. The second stage has 3 steps and LTX-2.3's "
        "first has 8: nothing to skip there. Listen to the sound, which is a small part of the latent."),
    Family("MiniMax-H3", ("MiniMaxH3Model",), (
        Sampling("video_minimax_h3_t2v", "MiniMax-H3", "20", "res_multistep", "simple", 0.),),
        AUTO, 2., "Between the loader and BasicGuider.", f"{TURBO} Listen to the sound, which is a small part of the "
        "latent."),
    Family("Z-Image", ("NextDiT",), (
        Sampling("image_z_image", "Z-Image base", "25", "res_multistep", "simple", 4., (16, 128, 128), "1024 x 1024"),),
        AUTO, 2., BEHIND, "Nothing beyond what is said of all."),
    Family("Z-Image Turbo", ("NextDiT",), (
        Sampling("image_z_image_turbo", "Z-Image Turbo", "8", "res_multistep", "simple", 1., (16, 128, 128),
                 "1024 x 1024"),),
        None, None, "No node of this pack.", "8 distilled steps leave little to skip. With fewer "
        "steps you get what a cache could give here."),
    Family("SD3.5", ("OpenAISignatureMMDITWrapper",), (
        Sampling("sd3.5_simple_example", "SD3.5 large", "20", "euler", "sgm_uniform", 4.01, (16, 128, 128),
                 "1024 x 1024"),),
        AUTO, 2., BEHIND, "SD3.5 large turbo has 4 steps: nothing to skip.", SD3_TIME),
    Family("PixArt", ("PixArtMS",), (),
        AUTO, 2., "Between the loader and the sampler. This pack's own templates have 30 steps, dpmpp_2m, simple, "
        "cfg 4.5.", "ComfyUI has no template for it. The papers' own numbers are for the nodes that reuse "
        "blocks: [presets](nodes.md)."),
    Family("Chroma", ("Chroma", "ChromaRadiance"), (
        Sampling("image_chroma_text_to_image", "Chroma1-HD", "26", "euler", "beta", 3.5, (16, 128, 128),
                 "1024 x 1024"),),
        AUTO, 2., BEHIND, "The small network that makes its modulation is skipped with Auto, and computed with the "
        "nodes that reuse blocks."),
    Family("Krea 2", ("SingleStreamDiT",), (
        Sampling("image_krea2_turbo_t2i", "Krea 2 Turbo", "8", "euler", "simple", 1., (16, 128, 128), "1024 x 1024"),),
        None, None, "No node of this pack for Turbo. For the model that is not distilled: BlockDance Auto at 2x.",
        "8 distilled steps leave little to skip."),
)
