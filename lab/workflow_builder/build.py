"""Start the demo's ComfyUI, build the workflows in its page and write what the page exports, and take its pictures."""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from ...demo import host
from ...demo.server import comfyui_server
from ...tests.browser import chromium
from ...tests.browser.comfy_page import ComfyPage, make_page_base
from . import catalogue, help_pictures, put_it_here, thumbnail
from .graph import REPOSITORY, Workflow
from .painter import Painter
from .picture_world import picture_world

SCRIPT = Path(__file__).with_name("build.js").read_text(encoding="utf-8")
LEGIBLE = .6  # below this zoom the classic renderer draws no words
WEIGHTS = REPOSITORY / "demo" / "weights" / "pixart.safetensors"


def main() -> int:
    workflows = catalogue.workflows()
    parser = argparse.ArgumentParser(prog="python3 -m lab.workflow_builder", description=__doc__)
    every = (*workflows, put_it_here.NAME, *help_pictures.PICTURED)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(every)}; {put_it_here.NAME} is a "
                        "picture in the README, nodes are pictures in the help pages; without one, all")
    names = parser.parse_args().names or every
    if unknown := set(names) - {*every}:
        parser.error(f"no workflow is called {', '.join(unknown)}; there are {', '.join(every)}")
    pictured = {*names} & {*help_pictures.PICTURED}
    if (program := chromium.installed()) is None:
        parser.error("no Chromium: install one, or name its program in BLOCKDANCE_CHROMIUM")
    if pictured and not help_pictures.has_fonts():
        parser.error("no font with Chinese characters, which some pictures need: install one, such as that of the "
                     "Debian package fonts-wqy-microhei")
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        base = make_page_base(Path(folder), WEIGHTS)
        log = base / "comfyui.log"
        with comfyui_server(host.current(), base, log, ("--cache-none",)) as server, sync_playwright() as playwright:
            browser = chromium.launch(playwright, program)
            page = ComfyPage(browser.new_page(viewport=thumbnail.VIEWPORT), server.url)
            page.set("LiteGraph.Canvas.MinFontSizeForLOD", 0)  # words also on small nodes
            painter = Painter(server.url, build(page, picture_world())["prompt"])
            for name in (name for name in names if name not in pictured):
                if name == put_it_here.NAME:
                    show_where(page)
                else:
                    write(page, workflows[name], painter)
                print(name, flush=True)
            for name in help_pictures.take(page, build, server.url, pictured) if pictured else ():
                print(name, flush=True)
            browser.close()
    return 0


def write(page: ComfyPage, workflow: Workflow, painter: Painter) -> None:
    """workflows/<name>.json and .jpg, and workflows/api/<name>.json, in the workflow's folder."""
    exported = build(page, workflow)
    saved = exported["saved"]
    saved["extra"]["ds"] = first_view(saved)
    for folder, content in (("workflows", saved), ("workflows/api", exported["prompt"])):
        path = workflow.folder / folder / f"{workflow.name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if workflow.demonstration:
        shown = workflow.demonstration.workflow
        build(page, shown)
        page.run_and_wait()
        ids = shown.ids()
        picture = thumbnail.nodes(page, [ids[node] for node in workflow.demonstration.shown], workflow.name)
    else:
        picture = painter.paint(workflow.name, workflow.pictured)
    picture.save(workflow.folder / "workflows" / f"{workflow.name}.jpg", quality=85)


def show_where(page: ComfyPage) -> None:
    """The README's picture of the graph."""
    shown, auto = put_it_here.workflow()
    build(page, shown)  # before a run: its times would be those of a busy machine
    put_it_here.take(page, shown, auto).save(put_it_here.PATH, quality=88)


def build(page: ComfyPage, workflow: Workflow) -> dict:
    """Leaves the workflow open in the page; what the page would save, and its prompt."""
    page.new()
    return page.evaluate(SCRIPT, {"workflow": workflow.description(), "pack": pack()})


def pack() -> dict[str, str]:
    """The properties by which the page offers this pack where a node of it is missing."""
    project = dict(re.findall(r'^(name|version) = "(.+)"', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE))
    return {"cnr_id": project["name"], "ver": project["version"]}


def first_view(saved: dict, width: int = 1800, height: int = 900) -> dict:
    """Zoom and offset at which the page shows all of it, or as much as stays legible, in a window of this size."""
    boxes = [(*node["pos"], *node["size"]) for node in saved["nodes"]]
    left, top = (min(box[axis] for box in boxes) for axis in (0, 1))
    right, bottom = (max(box[axis] + box[axis + 2] for box in boxes) for axis in (0, 1))
    scale = max(LEGIBLE, min(1., width / (right - left), height / (bottom - top)))
    return {"scale": round(scale, 3), "offset": [round(100 / scale - left), round(120 / scale - top)]}


if __name__ == "__main__":
    sys.exit(main())
