"""The picture of the README that shows where BlockDance Auto belongs: a short graph, with the plan on the node."""

import io

from PIL import Image, ImageDraw, ImageFont

from ...tests.browser.comfy_page import ComfyPage
from .accelerators import AUTO
from .canvas_view import bring_to, shrink
from .graph import REPOSITORY, Group, Node, Workflow
from .picture_world import source

NAME = "put it here"
PATH = REPOSITORY / "docs" / "put-it-here.jpg"
FRAME, WORDS = "#ffb020", 22
SCALE, LEFT, TOP = .95, 120, 190  # of the graph in the page's window
OPEN = 50  # pixels around the nodes


def workflow() -> tuple[Workflow, Node]:
    """The graph of the demo's model, and of it Auto."""
    emoji = source()
    auto = AUTO.on(emoji.model)
    sampler = emoji.sampler(auto[0], emoji.seed, "")
    larger = Node("ImageScaleBy", {"image": emoji.decode(sampler)[0], "upscale_method": "nearest-exact",
                                   "scale_by": 4.})
    saved = Node("SaveImage", {"images": larger[0], "filename_prefix": "blockdance/emoji"}, size=(300, 120))
    decode = larger.inputs["image"].node
    return Workflow(NAME, (
        (Group("", emoji.loading[:1]), Group("", emoji.prompting[:2])),
        (Group("", (auto,)),),
        (Group("", (sampler,)),),
        (Group("", (saved,)),),
        (Group("", (decode, larger, *emoji.loading[1:], *emoji.prompting[2:])),))), auto


def take(page: ComfyPage, shown: Workflow, auto: Node) -> Image.Image:
    """Of the open workflow its first three columns, with a frame around Auto."""
    ids = shown.ids()
    nodes = [ids[node] for column in shown.columns[:3] for group in column for node in group.nodes]
    page.set("Comfy.NodeBadge.NodeSourceBadgeMode", "None")
    shrink(page, [ids[auto]])
    boxes = bring_to(page, [*nodes, ids[auto]], SCALE, LEFT, TOP)
    window = Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")
    around = boxes[-1]
    draw = ImageDraw.Draw(window)
    draw.rounded_rectangle((around.left - 8, around.top - 8, around.right + 8, around.bottom + 8), 12, outline=FRAME,
                           width=4)
    draw.text(((around.left + around.right) / 2, around.top - 30), "put it here", FRAME,
              ImageFont.load_default(WORDS), "mm")
    return window.crop((LEFT - OPEN // 2, TOP - OPEN, max(box.right for box in boxes) + OPEN // 2,
                        max(box.bottom for box in boxes) + OPEN // 2))
