"""The picture of a workflow in the template browser: what the demo's model draws in full and faster, or nodes."""

import io

from PIL import Image, ImageDraw, ImageFont

from ...tests.browser.comfy_page import ComfyPage

VIEWPORT = {"width": 1600, "height": 1000}
SIZE = 512, 384  # of the thumbnail, in pixels
TITLE, LINE = 56, 28  # heights of the line above the pictures, and of each of the two below
GROUND, WORDS, QUIET = "#171718", "#ffffff", "#b0b0b6"
CENTER = 800, 500  # where nothing of the page lies over the canvas


def before_and_after(before: bytes, after: bytes, title: str, labels: tuple[str, str], below: str) -> Image.Image:
    """Two pictures of the same seed side by side, each with its label, between the title and a line that says whose
    they are."""
    image = Image.new("RGB", SIZE, GROUND)
    side = SIZE[1] - TITLE - 2 * LINE
    middles = SIZE[0] // 4, 3 * SIZE[0] // 4
    for picture, middle, label in zip((before, after), middles, labels):
        drawn = Image.open(io.BytesIO(picture)).convert("RGB").resize((side - 32, side - 32), Image.Resampling.LANCZOS)
        image.paste(drawn, (middle - drawn.width // 2, TITLE))
        _write(image, middle, TITLE + side - 14, label, 18, WORDS)
    _write(image, SIZE[0] // 2, TITLE // 2, title, 26, WORDS)
    _write(image, SIZE[0] // 2, SIZE[1] - LINE // 2 - 2, below, 15, QUIET)
    return image


def nodes(page: ComfyPage, node_ids: list[int], caption: str) -> Image.Image:
    """These nodes of the open workflow, filling the picture, with the caption below."""
    width, height = SIZE[0], SIZE[1] - TITLE
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
    image = Image.new("RGB", SIZE, GROUND)
    image.paste(Image.open(io.BytesIO(png)), (0, 0))
    _write(image, width // 2, height + TITLE // 2, caption, 22, WORDS)
    return image


def _write(image: Image.Image, x: int, y: int, words: str, size: int, color: str) -> None:
    """Centred, smaller where it would not fit."""
    while (font := ImageFont.load_default(size)).getlength(words) > SIZE[0] - 16:
        size -= 1
    ImageDraw.Draw(image).text((x, y), words, color, font, "mm")
