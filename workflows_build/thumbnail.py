"""The picture of a workflow in the template browser: the node that it is about, as the page draws it."""

import io

from PIL import Image

from ..tests.browser.comfy_page import ComfyPage

VIEWPORT = {"width": 1600, "height": 1000}
SIZE = 512, 384  # of the thumbnail, in pixels
CENTER = 800, 500  # where nothing of the page lies over the canvas


def take(page: ComfyPage, node_id: int, run: bool) -> Image.Image:
    """The surroundings of a node, after a run if the ComfyUI can run the workflow."""
    if run:
        page.run()
        page.wait_until_idle()
    page.evaluate("""([id, center, size]) => {
        const { pos, size: [width, height] } = app.graph.getNodeById(id);
        const { ds } = app.canvas;
        ds.scale = Math.min(1.5, size[0] / (width + 40), size[1] / (height + 70));
        ds.offset = [center[0] / ds.scale - pos[0] - width / 2, center[1] / ds.scale - pos[1] - height / 2 + 15];
        app.canvas.deselectAll();
        app.canvas.setDirty(true, true);
    }""", [node_id, CENTER, SIZE])
    page.page.wait_for_timeout(500)
    left, top = CENTER[0] - SIZE[0] // 2, CENTER[1] - SIZE[1] // 2
    png = page.page.screenshot(clip={"x": left, "y": top, "width": SIZE[0], "height": SIZE[1]})
    return Image.open(io.BytesIO(png)).convert("RGB")
