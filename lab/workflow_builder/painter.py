"""What thumbnails show: the demo's picture model in full and with Auto, of the same seed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from PIL import Image

from ...demo.pictures_showcase import CAPTIONS, MEASURED
from ..headless import client
from . import thumbnail
from .picture_world import STEPS

FIRST_SEED = 1  # of the first caption, the next for the next


@dataclass
class Painter:
    """url: of the server; prompt: of the demo's workflow for pictures, in the API format."""
    url: str
    prompt: dict
    painted: dict[int, tuple[bytes, bytes]] = field(default_factory=dict, init=False)

    def paint(self, title: str, number: int) -> Image.Image:
        """By the demo's caption of this number."""
        if not self.painted:
            self._run(MEASURED, 0)
        if number not in self.painted:
            self.painted[number] = self._run(CAPTIONS[number], FIRST_SEED + number)
        before, after = self.painted[number]
        [speedup] = (node["inputs"]["speedup"] for node in self.prompt.values() if "speedup" in node["inputs"])
        labels = f"in full: {STEPS} steps", f"Auto {speedup:g}x: {STEPS / speedup:.0f} computed"
        return thumbnail.before_and_after(before, after, title, labels, "drawn here by the demo's small emoji model")

    def _run(self, caption: str, seed: int) -> tuple[bytes, bytes]:
        """The picture in full and the one by Auto, as PNG."""
        for node in self.prompt.values():
            inputs, title = node["inputs"], node["_meta"]["title"]
            if title == "Caption":
                inputs["text"] = caption
            elif node["class_type"] == "PrimitiveInt":
                inputs["value"] = seed
            elif "speedup" in inputs:  # as fast as the label says
                inputs |= {"quality": "custom", "least_quality": 0.}
        with ThreadPoolExecutor(1) as apart:  # Playwright has this thread's event loop
            result = apart.submit(client.submit, self.url, self.prompt).result()
        titles = {key: node["_meta"]["title"] for key, node in self.prompt.items() if node["class_type"] == "SaveImage"}
        pictures = {title: result.images[key][0] for key, title in titles.items()}
        return pictures["Save baseline"], pictures["Save BlockDance Auto"]
