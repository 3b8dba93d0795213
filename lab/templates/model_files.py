"""Which model a file of weights is of, by its name, and the tiny instance of the same class to rehearse with."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """name: as people call it; tiny: its name in tests/models, None where the ComfyUI of the tests has no such class.

    transformer: whether BlockDance Patch takes it.
    """
    name: str
    tiny: str | None
    transformer: bool = True


# The first that the file's name begins with, in lower case
ROWS: tuple[tuple[str, Known], ...] = (
    ("pid_", Known("PiD", "PiD")),
    (r"flux1-dev-kontext", Known("Flux.1 Kontext", "Flux.1 Kontext")),
    (r"flux\.?1.fill|flux1-canny|flux1-depth|flux\.1-fill", Known("Flux.1 Fill / Control", "Flux.1")),
    (r"flux\.?1-schnell", Known("Flux.1 schnell", "Flux.1")),
    (r"flux1-krea", Known("Flux.1 Krea", "Flux.1")),
    (r"flux\.?1", Known("Flux.1 dev", "Flux.1")),
    (r"flux-2-klein-base", Known("Flux.2 klein base", "Flux.2")),
    (r"flux-2-klein", Known("Flux.2 klein", "Flux.2")),
    (r"flux2", Known("Flux.2 dev", "Flux.2")),
    (r"flux3", Known("FLUX.3 klein", None)),
    (r"qwen_image_2\.1", Known("Qwen-Image 2.1", None)),
    (r"qwen_image_edit|firered", Known("Qwen-Image-Edit", "Qwen-Image-Edit")),
    (r"qwen_image_layered", Known("Qwen-Image Layered", "Qwen-Image")),
    (r"qwen_image", Known("Qwen-Image", "Qwen-Image")),
    (r"z_image_turbo", Known("Z-Image-Turbo", "Z-Image")),
    (r"z_image", Known("Z-Image", "Z-Image")),
    (r"netayume|newbie", Known("Lumina 2", "Lumina 2")),
    (r"chroma-radiance", Known("Chroma Radiance", "Chroma Radiance")),
    (r"chroma", Known("Chroma", "Chroma")),
    (r"hidream_o1", Known("HiDream-O1", "HiDream-O1")),
    (r"hidream", Known("HiDream-I1 / E1", "HiDream-I1")),
    (r"omnigen2", Known("OmniGen2", "OmniGen2")),
    (r"boogu", Known("Boogu", "Boogu")),
    (r"mage_flow", Known("Mage-Flow", "Mage-Flow")),
    (r"lens", Known("Lens", "Lens")),
    (r"joyai", Known("JoyImage", "JoyImage")),
    (r"pixeldit", Known("PixelDiT", "PixelDiT")),
    (r"krea2", Known("Krea 2", "Krea 2")),
    (r"ideogram4", Known("Ideogram 4", "Ideogram 4")),
    (r"ernie", Known("ERNIE-Image", "ERNIE-Image")),
    (r"longcat", Known("LongCat-Image", "LongCat-Image")),
    (r"ovis", Known("Ovis-Image", "Flux.1")),
    (r"anima", Known("Anima", "Anima")),
    (r"sd3", Known("SD3.5", "SD3")),
    (r"sd_xl|sdxl", Known("SDXL", "XL", False)),
    (r"lotus|v1-5|512-|sd1|dreamshaper|realistic|svd", Known("SD 1.5 or a U-Net like it", "SD", False)),
    (r"wan[\d._-]*animate_2", Known("Wan-Animate 2", None)),
    (r"wan2\.2_animate|wan22animate|wan2_2-animate", Known("Wan 2.2 Animate", "Wan Animate")),
    (r"wan2\.\d_.*scail_2|wan2\.1_14b_scail_2", Known("SCAIL-2", "Wan SCAIL-2")),
    (r"wan2\.\d_.*scail", Known("SCAIL", "Wan SCAIL")),
    (r"wan2\.\d_s2v", Known("Wan 2.2 S2V", "Wan S2V")),
    (r"wan2\.\d_dancer", Known("Wan Dancer", "Wan Dancer")),
    (r"wan2\.\d_vace", Known("Wan 2.1 VACE", "Wan VACE")),
    (r"wan2\.\d_fun_camera", Known("Wan Fun Camera", "Wan Camera")),
    (r"wan2\.2_(ti2v|fun_control|fun_inpaint)_5b", Known("Wan 2.2 5B", "Wan 2.2 5B")),
    (r"wan2[._]2_(i2v|fun|bernini)", Known("Wan 2.2 14B image to video", "Wan 2.1 image to video")),
    (r"wan2\.2", Known("Wan 2.2 14B", "Wan 2.1")),
    (r"humo", Known("Wan HuMo", "Wan HuMo")),
    (r"causal_forcing", Known("Causal Forcing (Wan 2.1)", "Wan causal")),
    (r"(wan2[._]1[_-](i2v|flf2v|fun))|chrono|void|wan21-wanmove|wan2_1",
     Known("Wan 2.1 image to video", "Wan 2.1 image to video")),
    (r"wan2\.1", Known("Wan 2.1", "Wan 2.1")),
    (r"hunyuanvideo1\.5|capybara", Known("HunyuanVideo 1.5", "HunyuanVideo 1.5")),
    (r"hunyuan_video_image_to_video|hunyuan_video_i2v", Known("HunyuanVideo", "HunyuanVideo image to video")),
    (r"hunyuan_video", Known("HunyuanVideo", "HunyuanVideo")),
    (r"hunyuanimage", Known("HunyuanImage 2.1", "HunyuanImage 2.1")),
    (r"hunyuan_3d_v2\.1", Known("Hunyuan3D 2.1", "Hunyuan3D 2.1")),
    (r"hunyuan3d|hunyuan_3d", Known("Hunyuan3D 2", "Hunyuan3D 2")),
    (r"ltx-2\.5", Known("LTX-2.5", None)),
    (r"ltx-2\.3", Known("LTX-2.3", "LTX-2")),
    (r"ltx-2", Known("LTX-2", "LTX-2")),
    (r"ltx", Known("LTX-Video", "LTX-Video")),
    (r"kandinsky5", Known("Kandinsky 5", "Kandinsky 5")),
    (r"seedvr2", Known("SeedVR2", "SeedVR2")),
    (r"fasth3|fastvideo_fasth3", Known("FastH3 (MiniMax-H3)", "MiniMax-H3")),
    (r"minimax_h3", Known("MiniMax-H3", "MiniMax-H3")),
    (r"minimax_music3", Known("MiniMax Music 3", None)),
    (r"cosmos_predict2", Known("Cosmos Predict2", "Cosmos Predict2")),
    (r"cosmos", Known("Cosmos 1", "Cosmos 1")),
    (r"mochi", Known("Mochi", "Mochi")),
    (r"cogvideox", Known("CogVideoX", "CogVideoX")),
    (r"ace_step_v1", Known("ACE-Step", "ACE-Step")),
    (r"ace_?step_?v?1\.5", Known("ACE-Step 1.5", "ACE-Step 1.5")),
    (r"stable_audio_3", Known("Stable Audio 3", "Stable Audio 3")),
    (r"stable.audio", Known("Stable Audio Open", "Stable Audio")),
    (r"yue2", Known("YuE 2", None)),
    (r"triposplat", Known("TripoSplat", "TripoSplat")),
    (r"trellis|pixal3d", Known("Trellis 2", None)),
    (r"moss_image", Known("MOSS-Image", None)),
    (r"ming_image", Known("Ming-Image", None)),
    (r"fibo2", Known("Fibo 2", None)),
    (r"hunyuandit|hunyuan_dit", Known("HunyuanDiT", "HunyuanDiT")),
    (r"aura_?flow", Known("AuraFlow", "AuraFlow")),
    (r"pixart", Known("PixArt", "PixArt-Sigma")),
    (r"sdpose", Known("SD 1.5 or a U-Net like it", "SD", False)))


def known(file: str) -> Known | None:
    """None for a file of nobody's."""
    name = file.replace("\\", "/").rsplit("/", 1)[-1].lower()
    return next((found for start, found in ROWS if re.match(start, name)), None)
