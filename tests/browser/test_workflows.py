"""The workflow templates as ComfyUI's page opens them. tests/server/test_workflows.py runs their API twins."""

import json
import re
from pathlib import Path

import pytest

from blockdance.tests.browser.comfy_page import ComfyPage
from blockdance.tests.browser.conftest import REPOSITORY

# The demo's nodes are a pack of their own in the demo's ComfyUI, and its template is that pack's
FILES = {path.stem: path for folder in (REPOSITORY, REPOSITORY / "demo")
         for path in sorted((folder / "workflows").glob("*.json"))}
FOR_RESEARCHERS = "For researchers"
PACKS = {path: "blockdance_demo" if path.parent.parent.name == "demo" else "blockdance" for path in FILES.values()}


@pytest.fixture(scope="module", params=FILES)
def file(request) -> Path:
    return FILES[request.param]


def twin(file: Path) -> dict:
    return json.loads((file.parents[1] / "workflows/api" / file.name).read_text(encoding="utf-8"))


def open_template(page: ComfyPage, file: Path) -> None:
    """As the template browser does: from the server, under the file's name."""
    page.evaluate("""async ([url, name]) => {
        const workflow = await (await fetch(url)).json();
        await app.loadGraphData(workflow, true, true, name);
    }""", [f"/api/workflow_templates/{PACKS[file]}/{file.name}", file.stem])
    page.page.wait_for_timeout(500)


def test_every_workflow_has_a_twin_and_a_thumbnail():
    for file in FILES.values():
        assert twin(file) and file.with_suffix(".jpg").stat().st_size < 60_000
    assert len(FILES) == 17


def test_titles_are_words(file):
    """The template browser shows the file's name as the title, and reads no index of a pack."""
    assert " " in file.stem and "_" not in file.stem


def test_every_workflow_for_a_model_has_auto(file):
    nodes = {node["type"] for node in json.loads(file.read_text(encoding="utf-8"))["nodes"]}
    assert "BlockDanceAuto" in nodes or file.stem.startswith(FOR_RESEARCHERS) or "shapes" in file.stem.lower()


def test_what_it_compares_is_shown_by_both_renderers(file):
    """ComfyUI's own comparer is drawn by Nodes 2.0 only."""
    assert "ImageCompare" not in {node["type"] for node in json.loads(file.read_text(encoding="utf-8"))["nodes"]}


def test_the_template_browser_lists_it(page, file):
    listed = page.evaluate("async () => (await fetch('/api/workflow_templates')).json()")
    assert file.stem in listed[PACKS[file]]
    thumbnail = page.evaluate("""async (url) => {
        const answer = await fetch(url);
        return answer.ok && createImageBitmap(await answer.blob()).then(({width, height}) => [width, height]);
    }""", f"/api/workflow_templates/{PACKS[file]}/{file.stem}.jpg")
    assert thumbnail == [512, 384]


def test_opens_complete_and_converts_to_its_twin_and_is_tidy(page, file):
    open_template(page, file)
    assert page.evaluate(UNKNOWN) == []
    assert page.prompt() == twin(file)
    for renderer in ("classic", "nodes2"):
        page.use(renderer)
        page.page.wait_for_timeout(500)
        page.picture(f"workflow-{file.stem}-{renderer}")
        assert page.evaluate(OVERLAPS) == []
        assert page.evaluate(CUT) == []


UNKNOWN = "() => app.graph.nodes.map(({ type }) => type).filter((type) => !LiteGraph.registered_node_types[type])"
# Pairs of nodes that overlap, in the pixels of the page: with Nodes 2.0 what the document shows, else what is drawn
_BOXES = """
    const scale = app.canvas.ds.scale;
    const boxes = app.graph.nodes.map((node) => {
        const element = LiteGraph.vueNodesMode && document.querySelector(`[data-node-id="${node.id}"]`);
        if (element) {
            const { left, top, right, bottom } = element.getBoundingClientRect();
            const [x, y] = app.canvasPosToClientPos([0, 0]);
            return { name: `${node.id} ${node.type}`, left: (left - x) / scale, top: (top - y) / scale,
                     right: (right - x) / scale, bottom: (bottom - y) / scale };
        }
        const [left, top, width, height] = node.getBounding();
        return { name: `${node.id} ${node.type}`, left, top, right: left + width, bottom: top + height };
    });
"""
OVERLAPS = f"""() => {{{_BOXES}
    return boxes.flatMap((a, index) => boxes.slice(index + 1).filter((b) =>
        a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom).map((b) => [a, b]));
}}"""
# Nodes that a group's frame cuts
CUT = f"""() => {{{_BOXES}
    return app.graph.groups.flatMap((group) => {{
        const [left, top, width, height] = [...group.pos, ...group.size];
        return boxes.filter((box) => box.left < left + width && left < box.right && box.top < top + height
            && top < box.bottom && !(left <= box.left && box.right <= left + width && top <= box.top
            && box.bottom <= top + height)).map((box) => [group.title, box, left, top, width, height]);
    }});
}}"""


def test_the_files_that_it_needs_can_be_downloaded_from_the_page(file):
    """The page offers a file if a widget of the node names it and it comes from where the page downloads."""
    workflow = json.loads(file.read_text(encoding="utf-8"))
    for node in workflow["nodes"]:
        models = node["properties"].get("models", [])
        named = [value for value in node.get("widgets_values") or [] if str(value).endswith(".safetensors")]
        if node["type"] not in ("ShapesWorldModelLoader", "PictureWorldLoader"):
            assert [model["name"] for model in models] == named
        for model in models:
            assert re.fullmatch(r"https://huggingface\.co/[^/]+/[^/]+/resolve/main/[\w./-]+\.safetensors", model["url"])
            assert model["directory"] in ("checkpoints", "diffusion_models", "text_encoders", "vae")


def test_every_node_says_which_pack_it_is_of(file):
    for node in json.loads(file.read_text(encoding="utf-8"))["nodes"]:
        if node["type"] != "MarkdownNote" and not node["type"].startswith(("ShapesWorld", "PictureWorld")):
            ours = node["type"].startswith(("BlockDance", "Delta"))
            assert node["properties"]["cnr_id"] == ("blockdance" if ours else "comfy-core"), node["type"]
            assert node["properties"]["ver"]
