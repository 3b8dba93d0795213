"""Templates in ComfyUI's page."""

from dataclasses import dataclass
from pathlib import Path

from lab.headless.graph import Prompt, is_link

from ...tests.browser.comfy_page import ComfyPage

SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Opened:
    """unknown: node types that this ComfyUI does not have, and then nothing else; plain, prompt: in the API format,
    without and with the inserted nodes."""
    unknown: tuple[str, ...]
    plain: Prompt
    prompt: Prompt
    inserted: int


def open_with(page: ComfyPage, workflow: dict, patch: str) -> Opened:
    found = page.evaluate(SCRIPT, {"workflow": workflow, "patch": patch})
    return Opened(tuple(found["unknown"]), _bare(found.get("plain", {})), _bare(found.get("prompt", {})),
                  found.get("inserted", 0))


def same(one: Prompt, other: Prompt, patch: str) -> bool:
    """Whether two prompts are the same but for the ids of their nodes of this class, and for how many nodes share one:
    the page has one in every instance of a subgraph."""
    return _without(one, patch) == _without(other, patch)


def _without(prompt: Prompt, patch: str) -> dict:
    patches = {node: value["inputs"] for node, value in prompt.items() if value["class_type"] == patch}

    def place(value: object) -> object:
        return ("behind", patches[value[0]]) if is_link(value) and value[0] in patches else value
    return {node: (value["class_type"], {key: place(given) for key, given in value["inputs"].items()})
            for node, value in prompt.items() if node not in patches}


def _bare(prompt: dict) -> Prompt:
    return {node: {"class_type": value["class_type"], "inputs": value["inputs"],
                   "_meta": {"title": value.get("_meta", {}).get("title", "")}} for node, value in prompt.items()}
