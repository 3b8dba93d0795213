"""Start the demo's ComfyUI, build the workflows in its page and write what the page exports."""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from ..demo import host
from ..demo.server import comfyui_server
from ..tests.browser import chromium
from ..tests.browser.comfy_page import ComfyPage, make_page_base
from . import catalogue, thumbnail
from .graph import REPOSITORY, Workflow

SCRIPT = Path(__file__).with_name("build.js").read_text(encoding="utf-8")
WEIGHTS = REPOSITORY / "demo" / "weights" / "pixart.safetensors"


def main() -> int:
    workflows = catalogue.workflows()
    parser = argparse.ArgumentParser(prog="python3 -m workflows_build", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(workflows)}; without one, all")
    names = parser.parse_args().names or list(workflows)
    if unknown := set(names) - set(workflows):
        parser.error(f"no workflow is called {', '.join(unknown)}; there are {', '.join(workflows)}")
    if (program := chromium.installed()) is None:
        parser.error("no Chromium: install one, or name its program in BLOCKDANCE_CHROMIUM")
    with tempfile.TemporaryDirectory(prefix="blockdance-", ignore_cleanup_errors=True) as folder:
        base = make_page_base(Path(folder), WEIGHTS)
        with comfyui_server(host.current(), base, base / "comfyui.log") as server, sync_playwright() as playwright:
            browser = chromium.launch(playwright, program)
            page = ComfyPage(browser.new_page(viewport=thumbnail.VIEWPORT), server.url)
            for name in names:
                write(page, workflows[name])
                print(name, flush=True)
            browser.close()
    return 0


def write(page: ComfyPage, workflow: Workflow) -> None:
    """workflows/<name>.json and .jpg, and workflows_api/<name>.json, in the workflow's folder."""
    description = workflow.description()
    page.new()
    exported = page.evaluate(SCRIPT, {"workflow": description, "pack": pack()})
    saved = exported["saved"]
    saved["extra"]["ds"] = first_view(saved)
    for folder, content in (("workflows", saved), ("workflows_api", exported["prompt"])):
        path = workflow.folder / folder / f"{workflow.name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    node_ids = {node: number for number, node in enumerate(
        (node for column in workflow.columns for group in column for node in group.nodes), 1)}
    thumbnail.take(page, node_ids[workflow.shown], workflow.runs).save(
        workflow.folder / "workflows" / f"{workflow.name}.jpg", quality=85)


def pack() -> dict[str, str]:
    """The properties by which the page offers this pack where a node of it is missing."""
    project = dict(re.findall(r'^(name|version) = "(.+)"', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE))
    return {"cnr_id": project["name"], "ver": project["version"]}


def first_view(saved: dict, width: int = 1500, height: int = 800) -> dict:
    """Zoom and offset at which the page shows everything in a window of about this size, in pixels."""
    boxes = [(*node["pos"], *node["size"]) for node in saved["nodes"]]
    left, top = (min(box[axis] for box in boxes) for axis in (0, 1))
    right, bottom = (max(box[axis] + box[axis + 2] for box in boxes) for axis in (0, 1))
    scale = min(1., width / (right - left), height / (bottom - top))
    return {"scale": round(scale, 3), "offset": [round(100 / scale - left), round(120 / scale - top)]}


if __name__ == "__main__":
    sys.exit(main())
