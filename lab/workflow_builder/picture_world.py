"""The demo's model that draws emoji, with Auto, which measures it. Its nodes are the demo's, so its files lie there."""

from dataclasses import replace

from .accelerators import AUTO
from .comparison import Branch, Sampling, Sides, Source, judged, saved, sides
from .graph import REPOSITORY, Group, Node, Workflow
from .notes import note

STEPS, FOLDER = 30, "blockdance/emoji"
CAPTION = "hamburger, noto, large, center, on checkered yellow"


def source(weights: str = "flux_pictures.safetensors") -> Source:
    model = Node("PictureWorldLoader", {"weights": weights}, size=(300, 0))
    pixels = Node("VAELoader", {"vae_name": "pixel_space"})
    caption = Node("CLIPTextEncode", {"clip": model[1], "text": CAPTION}, title="Caption", size=(320, 130))
    empty = Node("CLIPTextEncode", {"clip": model[1], "text": ""}, title="No caption", size=(320, 110))
    latent = Node("EmptyChromaRadianceLatentImage", {"width": 64, "height": 64, "batch_size": 1})
    return Source((model, pixels), (caption, empty, latent), model[0], caption[0], empty[0], latent[0], pixels[0],
                  Sampling(STEPS, 4., "euler", "simple"))


def picture_world() -> Workflow:
    about = note("Emoji with BlockDance Auto", f"""
A 24-block Flux that draws 64 x 64 pixels, on any CPU in some seconds: emoji on grounds, as captions in words ask for.

**Run it twice, with another seed the second time** (*Seed of all samplers*). The first run measures the model, so both
pictures are equal. From the second on some {round(STEPS / AUTO.inputs["speedup"])} of the {STEPS} steps are computed
for the picture on the right.

**quality** is the one setting to turn.

Captions: a name such as fox face or rocket, or two with *and*; a set (noto, fluent, twemoji); large, medium or small;
center, left, right, top or bottom; *on* plain, gradient, striped, dotted, checkered or cloudy; a color. All but the
name can be left out.
""")
    made, before, after, files = _parts(about)
    return Workflow("Emoji with BlockDance Auto, on any CPU", (
        *made.columns,
        (Group("5 Compare", judged(before, after)),),
        (Group("6 Save", (before.decode, files[0], after.decode, files[1])),)), 1, REPOSITORY / "demo")


def _parts(about: Node) -> tuple[Sides, Branch, Branch, tuple[Node, Node]]:
    """The two ways to the picture, both enlarged, and the nodes that save them."""
    made = sides(source(), about, AUTO)
    before, after = (_enlarged(side) for side in (made.baseline, made.accelerated))
    return made, before, after, (saved(before, FOLDER), saved(after, FOLDER))


def _enlarged(side: Branch) -> Branch:
    """The same pictures, large enough to look at."""
    larger = Node("ImageScaleBy", {"image": side.decode[0], "upscale_method": "nearest-exact", "scale_by": 4.},
                  title=f"Enlarge {side.title}")
    return replace(side, decode=larger)
