"""ComfyUI's page, driven as a user and a script of it would."""

import json
import re
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from blockdance.demo import workflow
from blockdance.demo.base import make_base

PICTURES = Path(__file__).resolve().parents[2] / "test-output"
READY = "() => window.app?.extensionManager && window.LiteGraph?.registered_node_types?.BlockDancePatch"
TIMELINE = ".blockdance-timeline"
# ComfyUI asks for this page before it takes the English one without a language in its name
LOOKED_FOR_FIRST = re.compile(r"status of 404 .*\(\S+/extensions/blockdance/docs/\w+/en\.md\)$")
PATCH = '() => app.graph.nodes.find((node) => /Patch$|Auto$/.test(node.type))'


SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Locale": "en", "Comfy.ColorPalette": "dark",
            "Comfy.VueNodes.Enabled": False}


def make_page_base(folder: Path, weights: Path) -> Path:
    """The demo's folder for a ComfyUI, with a user whose page looks the same everywhere."""
    base = make_base(folder, weights)
    (base / "user" / "default").mkdir()
    (base / "user" / "default" / "comfy.settings.json").write_text(json.dumps(SETTINGS))
    return base


class ComfyPage:
    def __init__(self, page: Page, url: str):
        self.page, self.evaluate = page, page.evaluate
        self.complaints: list[str] = []
        self._demos: dict[str, dict] = {}  # the demo's prompt as a workflow, by its patch
        page.on("pageerror", lambda error: self._note(f"{error}\n{error.stack}"))
        page.on("console", lambda line: line.type in ("error", "warning") and self._note(
            f"{line.text} ({line.location.get('url')})"))
        page.goto(url, wait_until="domcontentloaded")
        self.wait_until_ready()

    def _note(self, complaint: str) -> None:
        # A fresh ComfyUI complains about itself
        if "blockdance" in complaint.lower() and not LOOKED_FOR_FIRST.search(complaint):
            self.complaints.append(complaint)

    def wait_until_ready(self) -> None:
        self.page.wait_for_function(READY)
        self.page.wait_for_function("() => app.isGraphReady && !document.querySelector('#splash-loader')")
        self.page.wait_for_timeout(1000)  # the page restores its last workflow

    def set(self, setting: str, value: object) -> None:
        self.evaluate("([name, value]) => app.extensionManager.setting.set(name, value)", [setting, value])
        self.page.wait_for_timeout(200)

    def use(self, renderer: Literal["classic", "nodes2"]) -> None:
        self.set("Comfy.VueNodes.Enabled", renderer == "nodes2")

    def new(self) -> None:
        """A workflow without nodes."""
        self.evaluate("() => app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
        self.page.wait_for_function("() => app.graph.nodes.length === 0")

    def select_new(self, node: str) -> None:
        """Put a node in sight and select it."""
        self.evaluate("""(type) => {
            const node = LiteGraph.createNode(type);
            node.pos = [300, 300];
            app.graph.add(node);
            app.canvas.ds.scale = 1;
            app.canvas.ds.offset = [0, 0];
            app.canvas.selectNode(node);
            app.canvas.setDirty(true, true);
        }""", node)

    def load(self, patch: str = "BlockDancePatch", **inputs: workflow.Value) -> None:
        """Open the demo's prompt as a workflow of its own, with its patch, or this one, in sight."""
        prompt = workflow.load()
        if inputs:
            workflow.exchange_patch(prompt, patch, inputs)
        if patch not in self._demos:
            self._demos[patch] = self.evaluate("""async (prompt) => {
                await app.loadApiJson(prompt, "demo.json");
                return app.graph.serialize();
            }""", prompt)
        self.evaluate("""(demo) => {
            const id = crypto.randomUUID(); // its name, too: the page may take one of the same name for the same
            return app.loadGraphData({...demo, id}, true, false, id);
        }""", self._demos[patch])
        self.evaluate(f"""() => {{
            const patch = ({PATCH})();
            app.canvas.ds.scale = 1;
            app.canvas.ds.offset = [80 - patch.pos[0], 120 - patch.pos[1]];
            app.canvas.setDirty(true, true);
        }}""")
        self.page.wait_for_selector(TIMELINE)  # the page shows no widgets of nodes that are out of sight

    def set_widget(self, name: str, value: float | str, node: str = PATCH) -> None:
        """Give a widget of a node a value as its editor would."""
        self.evaluate(f"""([name, value]) => {{
            const widget = ({node})().widgets.find((widget) => widget.name === name);
            widget.value = value;
            widget.callback?.(value);
            app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
        }}""", [name, value])

    def run(self) -> None:
        self.evaluate("() => app.queuePrompt(0)")

    def prompt(self) -> dict:
        """The workflow in the API format. Of what a node says of itself there only its title."""
        prompt = self.evaluate("async () => (await app.graphToPrompt()).output")
        return {node: {**content, "_meta": {"title": content["_meta"]["title"]}} for node, content in prompt.items()}

    def previous_workflow(self) -> None:
        self.evaluate("() => app.extensionManager.command.execute('Workspace.PreviousOpenedWorkflow')")

    def wait_until_idle(self) -> None:
        """Until the server has run all prompts, and the page has heard of it."""
        self.page.wait_for_function("""async () => {
            const queue = await (await fetch("/api/queue")).json();
            return queue.queue_running.length + queue.queue_pending.length === 0;
        }""")
        self.page.wait_for_timeout(500)

    def run_and_wait(self) -> None:
        """Run the workflow and wait until it is done."""
        self.evaluate("""() => new Promise((done, failed) => {
            app.api.addEventListener("execution_success", done, { once: true });
            app.api.addEventListener("execution_error", ({ detail }) => failed(detail.exception_message),
                                     { once: true });
            app.queuePrompt(0);
        })""")
        self.page.wait_for_timeout(500)

    def expect(self, phase: str, text: str = "", timeout: float = 30) -> str:
        """Wait for the timeline to be in a phase with this text on it; returns all of its text."""
        self.page.wait_for_function(
            f"([phase, text]) => [...document.querySelectorAll('{TIMELINE}')].some((timeline) =>"
            " timeline.checkVisibility() && timeline.dataset.phase === phase && timeline.innerText.includes(text))",
            arg=[phase, text], timeout=timeout * 1000)
        return self.text()

    def text(self) -> str:
        return self.page.inner_text(TIMELINE)

    def reused(self) -> list[int]:
        """The columns of the map that reuse or forecast."""
        return self.evaluate(
            f"() => [...document.querySelectorAll('{TIMELINE} g')].flatMap((column, index) => "
            "column.dataset.cell === 'computed' ? [] : [index])")

    def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        self.page.mouse.move(640, 700)  # away from whatever explains itself under it
        self.page.screenshot(path=PICTURES / f"{name}.png")
