"""The demo's model that draws emoji, with Auto, which measures it. Its nodes are the demo's, so its files lie there."""

from dataclasses import replace

from .accelerators import AUTO
from .comparison import Branch, Sampling, Source, judged, saved, sides
from .graph import REPOSITORY, Group, Node, Workflow
from .notes import note

STEPS, STACKS = 30, (8, 16)
CAPTION = "hamburger, noto, large, center, on checkered yellow"


def source() -> Source:
    model = Node("PictureWorldLoader", {"weights": "flux_pictures.safetensors"}, size=(300, 0))
    pixels = Node("VAELoader", {"vae_name": "pixel_space"})
    caption = Node("CLIPTextEncode", {"clip": model[1], "text": CAPTION}, title="Caption", size=(320, 130))
    empty = Node("CLIPTextEncode", {"clip": model[1], "text": ""}, title="No caption", size=(320, 110))
    latent = Node("EmptyChromaRadianceLatentImage", {"width": 64, "height": 64, "batch_size": 1})
    return Source((model, pixels), (caption, empty, latent), model[0], caption[0], empty[0], latent[0], pixels[0],
                  Sampling(STEPS, 4., "euler", "simple"))


def picture_world() -> Workflow:
    name = "blockdance_picture_world"
    about = note("BlockDance Auto on the demo's pictures", f"""
A 24-block Flux that draws 64 x 64 pixels, on any CPU in some seconds: emoji on grounds, as captions in words ask for.

**The first run measures the model and is not faster**: both pictures are equal. Change *Seed of all samplers* and run
again. Then about {AUTO.computed(STEPS, *STACKS)} of the {STEPS} steps are computed and the others forecast.

**First knob: speedup**.

Captions: a name such as fox face or rocket, or two with *and*; a set (noto, fluent, twemoji); large, medium or small;
center, left, right, top or bottom; *on* plain, gradient, striped, dotted, checkered or cloudy; a color. All but the
name can be left out.
""")
    made = sides(source(), about, AUTO)
    before, after = (_enlarged(side) for side in (made.baseline, made.accelerated))
    files = saved(before, name), saved(after, name)
    columns = (
        *made.columns,
        (Group("5 Compare", judged(made.baseline, made.accelerated)),),
        (Group("6 Save", (before.decode, files[0], after.decode, files[1])),))
    workflow = Workflow(name, columns, (made.patch,), "The demo's pictures", folder=REPOSITORY / "demo", saved=files)
    return replace(workflow, demonstration=replace(workflow, shown=(made.patch, *files)))


def _enlarged(side: Branch) -> Branch:
    """The same pictures, large enough to look at."""
    larger = Node("ImageScaleBy", {"image": side.decode[0], "upscale_method": "nearest-exact", "scale_by": 6.},
                  title=f"Enlarge {side.title}")
    return replace(side, decode=larger)
