"""The picture of a workflow in the template browser: the nodes that it is about, as the page draws them."""

import io

from PIL import Image, ImageDraw, ImageFont

from ...tests.browser.comfy_page import ComfyPage

VIEWPORT = {"width": 1600, "height": 1000}
SIZE = 512, 384  # of the thumbnail, in pixels
CAPTION = 44  # height of the line below the nodes
CENTER = 800, 500  # where nothing of the page lies over the canvas


def take(page: ComfyPage, node_ids: list[int], caption: str) -> Image.Image:
    """These nodes of the open workflow, filling the picture, with the caption below."""
    width, height = SIZE[0], SIZE[1] - CAPTION
    page.evaluate("""([ids, center, size]) => {
        const boxes = ids.map((id) => app.graph.getNodeById(id).getBounding());
        const left = Math.min(...boxes.map(([x]) => x)), top = Math.min(...boxes.map(([, y]) => y));
        const right = Math.max(...boxes.map(([x,, width]) => x + width));
        const bottom = Math.max(...boxes.map(([, y,, height]) => y + height));
        const { ds } = app.canvas;
        ds.scale = Math.min(1.5, size[0] / (right - left + 30), size[1] / (bottom - top + 20));
        ds.offset = [center[0] / ds.scale - (left + right) / 2, center[1] / ds.scale - (top + bottom) / 2];
        app.canvas.deselectAll();
        app.canvas.setDirty(true, true);
    }""", [node_ids, CENTER, [width, height]])
    page.page.wait_for_timeout(1500)  # pictures on the nodes arrive
    png = page.page.screenshot(clip={
        "x": CENTER[0] - width // 2, "y": CENTER[1] - height // 2, "width": width, "height": height})
    picture = Image.new("RGB", SIZE, "#171718")
    picture.paste(Image.open(io.BytesIO(png)), (0, 0))
    middle = width // 2, height + CAPTION // 2
    ImageDraw.Draw(picture).text(middle, caption, "white", ImageFont.load_default(24), "mm")
    return picture
