"""The pictures of the help pages: each node after a run on the demo's picture model, in the languages of the pages, and
what the nodes for analysis draw of such runs."""

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from PIL import Image

from ...tests.browser.comfy_page import ComfyPage
from ..headless import client
from .canvas_view import bring_to, shrink
from .comparison import Sampling, Source
from .graph import REPOSITORY, Group, Node, Workflow
from .picture_world import source

FOLDER = REPOSITORY / "web" / "docs"
WEIGHTS = "pixart_pictures.safetensors"  # of 28 blocks, as the presets of the papers need
LANGUAGES = {"en": "", "zh": "/zh"}  # and what a picture's name has besides
SCALE, WIDTH = 1.6, 300  # of a node: what the page shows of it is enlarged, so that it is sharp
LEFT, TOP = 120, 150  # where the page has nothing over the canvas, in pixels
AROUND = 10  # what is shown around nodes
SAMPLER = '() => app.graph.nodes.find((node) => node.type === "KSampler")'
COLORS = 128  # of a picture of nodes
TIMED = 3  # runs, at most, until one can be compared with a full one: another program may disturb them


@dataclass(frozen=True)
class Shown:
    """Nodes of a graph that are shown side by side. made: gives them, the last of which the sampler gets. most: how
    often they run before they are shown, until times are compared; 0 shows them as they are before the first run."""
    node: str
    made: Callable[[Source], tuple[Node, ...]]
    steps: int = 30
    most: int = TIMED

    def workflow(self, seed: int) -> tuple[Workflow, tuple[Node, ...]]:
        picture = source(WEIGHTS)
        picture = replace(picture, seed=seed, sampling=replace(picture.sampling, steps=self.steps))
        nodes = self.made(picture)
        decoded = picture.decode(picture.sampler(nodes[-1][0], seed, ""))
        columns = (_column(*picture.loading, *picture.prompting), *map(_column, nodes),
                   _column(decoded.inputs["samples"].node), _column(decoded),
                   _column(Node("SaveImage", {"images": decoded[0], "filename_prefix": "help"})))
        return Workflow(f"help {self.node}", columns), nodes


def _column(*nodes: Node) -> tuple[Group, ...]:
    return Group("", nodes),


def _patch(node: str, **inputs) -> Callable[[Source], tuple[Node, ...]]:
    return lambda picture: (Node(node, {"model": picture.model, **inputs}, size=(WIDTH, 0)),)


def _calibrated(picture: Source) -> tuple[Node, ...]:
    given = {"positive": picture.positive, "negative": picture.negative, "latent_image": picture.latent}
    steps = picture.sampling.steps
    calibrate = Node("BlockDanceCalibrate", {"model": picture.model, **given, "steps": steps}, size=(WIDTH, 0))
    return calibrate, *_patch("BlockDanceAuto")(replace(picture, model=calibrate[0]))


NODES = (
    Shown("BlockDanceAuto", _patch("BlockDanceAuto")),
    Shown("BlockDancePatch", _patch("BlockDancePatch")),
    Shown("DeltaCachePatch", _patch("DeltaCachePatch")),
    Shown("DeltaDiTPatch", _patch("DeltaDiTPatch")),
    Shown("BlockDancePreset", _patch("BlockDancePreset")),
    Shown("BlockDancePlan", _patch("BlockDancePlan"), steps=20, most=1),
    Shown("BlockDanceCalibrate", _calibrated, steps=20, most=1),
    Shown("DeltaCacheUNetPatch", _patch("DeltaCacheUNetPatch"), most=0))  # the demo has no U-Net
ANALYSIS = "BlockDanceSimilarity", "BlockDanceProbe", "BlockDanceQuality", "BlockDanceReport"
PICTURED = *(shown.node for shown in NODES), *ANALYSIS


def has_fonts() -> bool:
    """Whether the page can draw all languages here."""
    found = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True).stdout if shutil.which("fc-list") \
        else "unknown"
    return bool(found.strip())


def take(page: ComfyPage, build: Callable[[ComfyPage, Workflow], dict], url: str, wanted: Set[str]
         ) -> Iterator[str]:
    """Writes the pictures of these nodes, Auto's first, whose run in full others are compared with; the names of those
    that are done."""
    seed = 10
    page.set("Comfy.NodeBadge.NodeSourceBadgeMode", "None")
    for language, place in LANGUAGES.items():
        page.set("Comfy.Locale", language)
        page.page.reload(wait_until="domcontentloaded")
        page.wait_until_ready()
        for shown in (shown for shown in NODES if shown.node in wanted):
            workflow, nodes = shown.workflow(seed)
            build(page, workflow)
            for _ in range(shown.most):
                seed += 1
                page.set_widget("seed", seed, SAMPLER)
                page.run_and_wait()
                if _is_timed(page):
                    break
            picture = _screenshot(page, [workflow.ids()[node] for node in nodes])
            _save(picture.quantize(COLORS, dither=Image.Dither.NONE), f"{shown.node}{place}")
            yield f"{shown.node} ({language})"
    page.set("Comfy.Locale", "en")
    page.set("Comfy.NodeBadge.NodeSourceBadgeMode", "Hide built-in")
    if not wanted.isdisjoint(ANALYSIS):
        for name, drawn in _figures(url, build(page, _analysis())["prompt"]).items():
            _save(drawn, name)
            yield name


def _is_timed(page: ComfyPage) -> bool:
    """Whether the node compares times."""
    return "\u2192" in page.text()


def _screenshot(page: ComfyPage, ids: list[int]) -> Image.Image:
    """Of these nodes of the open workflow, with what is between them."""
    shrink(page, ids)
    boxes = bring_to(page, ids, SCALE, LEFT, TOP)
    page.page.mouse.move(LEFT - 40, TOP + 300)
    window = Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")
    return window.crop((LEFT - AROUND, TOP - AROUND, max(box.right for box in boxes) + AROUND,
                        max(box.bottom for box in boxes) + AROUND))


def _save(picture: Image.Image, name: str) -> None:
    path = FOLDER / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    picture.save(path, optimize=True)


def _analysis() -> Workflow:
    """The methods for researchers on one seed, and the nodes that look at them."""
    picture = source(WEIGHTS)
    picture = replace(picture, sampling=Sampling(30, 4., "euler", "simple"))
    (probe,), (patch,), (far,) = (made(picture) for made in (
        _patch("BlockDanceProbe"), _patch("BlockDancePatch"), _patch("BlockDancePatch", N=4, start=.1)))
    full, fast, changed = (picture.sampler(node[0], picture.seed, "") for node in (probe, patch, far))
    before, after = (picture.decode(sampler) for sampler in (full, changed))
    quality = Node("BlockDanceQuality", {"reference": before[0], "image": after[0]})
    seen = (Node("BlockDanceSimilarity", {"model": probe[0], "latent": full[0]}),
            Node("BlockDanceReport", {"model": patch[0], "latent": fast[0]}), quality,
            *(Node("SaveImage", {"images": shown, "filename_prefix": "help"}, title=title)
              for title, shown in (("before", before[0]), ("after", after[0]), ("difference", quality[2]))))
    return Workflow("help analysis", (
        _column(*picture.loading, *picture.prompting), _column(probe, patch, far), _column(full, fast, changed),
        _column(before, after), _column(*seen)))


def _figures(url: str, prompt: dict) -> dict[str, Image.Image]:
    """What the nodes for analysis draw, by the page that shows it."""
    with ThreadPoolExecutor(1) as apart:  # Playwright has this thread's event loop
        images = apart.submit(client.submit, url, prompt).result().images
    drawn = {}
    for key, node in prompt.items():
        name = node["_meta"]["title"] if node["class_type"] == "SaveImage" else node["class_type"]
        drawn[name] = [Image.open(io.BytesIO(png)).convert("RGB") for png in images.get(key, ())]
    features, _, _, components, *_ = drawn[ANALYSIS[0]]
    large = 240, 240
    three = [drawn[title][0].resize(large, Image.Resampling.NEAREST) for title in ("before", "after", "difference")]
    beside = Image.new("RGB", (720, 240))
    for number, picture in enumerate(three):
        beside.paste(picture, (240 * number, 0))
    return dict(zip(ANALYSIS, (features, components, beside, drawn[ANALYSIS[-1]][0])))
