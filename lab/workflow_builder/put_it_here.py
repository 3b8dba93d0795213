"""The picture of the README that shows where BlockDance Auto belongs: a short graph, with the plan on the node."""

import io

from PIL import Image, ImageDraw, ImageFont

from ...tests.browser.comfy_page import ComfyPage
from .accelerators import AUTO
from .graph import REPOSITORY, Group, Node, Workflow
from .help_pictures import resize
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
    resize(page, [ids[auto]])
    boxes = page.evaluate("""([ids, auto, scale, left, top]) => {
        const boxes = [...ids, auto].map((id) => [...app.graph.getNodeById(id).getBounding()]);
        const x = Math.min(...boxes.map((box) => box[0])), y = Math.min(...boxes.map((box) => box[1]));
        app.canvas.ds.scale = scale;
        app.canvas.ds.offset = [left / scale - x, top / scale - y];
        app.canvas.deselectAll();
        app.canvas.setDirty(true, true);
        return boxes.map(([bx, by, width, height]) =>
            [left + (bx - x) * scale, top + (by - y) * scale, width * scale, height * scale]);
    }""", [nodes, ids[auto], SCALE, LEFT, TOP])
    page.page.wait_for_timeout(1500)  # the plan arrives
    window = Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")
    *others, (x, y, width, height) = boxes
    draw = ImageDraw.Draw(window)
    draw.rounded_rectangle((x - 8, y - 8, x + width + 8, y + height + 8), 12, outline=FRAME, width=4)
    draw.text((x + width / 2, y - 30), "put it here", FRAME, ImageFont.load_default(WORDS), "mm")
    right = max(left + across for left, _, across, _ in others)
    bottom = max(top + down for _, top, _, down in others)
    return window.crop((LEFT - OPEN // 2, TOP - OPEN, round(right) + OPEN // 2, round(bottom) + OPEN // 2))
