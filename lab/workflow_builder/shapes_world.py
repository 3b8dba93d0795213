"""The demo's models, which any CPU runs in seconds. Their nodes are the demo's, so their files lie with the demo."""

from dataclasses import dataclass, replace

from .accelerators import BLOCKDANCE
from .comparison import Sampling, Source, judged, saved, sides
from .graph import REPOSITORY, Demonstration, Group, Node, Workflow
from .notes import note
from .video import video_comparison

STEPS, FOLDER = 30, "blockdance/shapes"
VIDEO_CAPTION = "a red circle moving right from top left, a yellow cross staying at bottom, on navy"
CAPTION = "a red circle at top left, a green triangle at center, on navy"


def source() -> Source:
    model = Node("ShapesWorldModelLoader", {"weights": "pixart.safetensors"}, size=(300, 0))
    pixels = Node("VAELoader", {"vae_name": "pixel_space"})
    caption = Node("ShapesWorldTextEncode", {"caption": CAPTION}, title="Caption", size=(320, 130))
    empty = Node("ShapesWorldTextEncode", {"caption": ""}, title="No caption", size=(320, 110))
    latent = Node("EmptyChromaRadianceLatentImage", {"width": 48, "height": 48, "batch_size": 1})
    return Source((model, pixels), (caption, empty, latent), model[0], caption[0], empty[0], latent[0], pixels[0],
                  Sampling(STEPS, 3., "euler", "simple"))


def shapes_world() -> Workflow:
    model = source()
    about = note("BlockDance on the demo's shapes", f"""
A 28-block PixArt that draws 48 x 48 pixels, on any CPU in two seconds: everything that the pack does can be watched
without a download.

{BLOCKDANCE.computed(STEPS, 28)} of the blocks are computed. Measured on two CPU cores with N = 2: 1.21x
faster at PSNR 53.2 dB; with 3 1.27x at 48.4 dB; with 4 1.31x at 47.1 dB.

**First knob: N**.

Captions are one to four times "a color shape at place", then "on background".
""")
    made = sides(model, about, BLOCKDANCE)
    files = saved(made.baseline, FOLDER), saved(made.accelerated, FOLDER)
    workflow = Workflow("Shapes with BlockDance, on any CPU", (
        *made.columns,
        (Group("5 Compare", judged(made.baseline, made.accelerated)),),
        (Group("6 Save", files),)), folder=REPOSITORY / "demo")
    return replace(workflow, demonstration=Demonstration(workflow, (made.patch, *files)))


@dataclass(frozen=True)
class _Frames(Source):
    """Pixels that need no VAE."""

    def decode(self, sampler: Node) -> Node:
        return Node("ShapesWorldVideoFrames", {"samples": sampler[0]})


def shapes_world_video() -> Workflow:
    model = Node("ShapesWorldModelLoader", {"weights": "wan.safetensors"}, size=(300, 0))
    caption = Node("ShapesWorldVideoTextEncode", {"caption": VIDEO_CAPTION}, title="Caption", size=(320, 150))
    empty = Node("ShapesWorldVideoTextEncode", {"caption": ""}, title="No caption", size=(320, 110))
    latent = Node("ShapesWorldEmptyVideo", {"batch_size": 1})
    source = _Frames((model,), (caption, empty, latent), model[0], caption[0], empty[0], latent[0], None,
                     Sampling(STEPS, 3., "euler", "simple"))
    about = note("BlockDance on the demo's video model", f"""
A 24-block Wan that draws 16 frames of 24 x 24 pixels, on any CPU in a few seconds.

{BLOCKDANCE.computed(STEPS, 24)} of the blocks are computed. Measured on one CPU core with N = 2: 1.23x faster at PSNR
47.0 dB; with 3 1.35x at 41.7 dB.

**First knob: start**. Video allows earlier reuse than pictures. Then *N*.

Captions are once or twice "a color shape moving direction from place" or "a color shape staying at place", then "on
background".
""")
    made, patch = video_comparison("Moving shapes with BlockDance, on any CPU", f"{FOLDER} moving", source, about,
                                   BLOCKDANCE, frames=16, rate=8., enlarge=8.)
    return replace(made, folder=REPOSITORY / "demo", demonstration=Demonstration(made, (patch,)))
