"""The demo's prompts: a file in the API format for each world, edited by node title."""

import json
from dataclasses import dataclass
from pathlib import Path

from lab.headless.graph import Prompt, replace_links

PATCH = "BlockDance Patch"

Value = str | int | float


@dataclass(frozen=True)
class Template:
    """file: the prompt; caption: the input of its node Caption that takes one."""
    file: Path
    caption: str

    def load(self) -> Prompt:
        """A fresh copy of the prompt."""
        return json.loads(self.file.read_text(encoding="utf-8"))


SHAPES = Template(Path(__file__).with_name("workflow_api.json"), "caption")
PICTURES = Template(Path(__file__).with_name("pictures_api.json"), "text")


def load() -> Prompt:
    """A fresh copy of workflow_api.json, which draws shapes world."""
    return SHAPES.load()


def node_id(prompt: Prompt, title: str) -> str:
    """The id of the node with this title. Raises KeyError with the titles that there are."""
    ids = {node["_meta"]["title"]: name for name, node in prompt.items()}
    if title not in ids:
        raise KeyError(f"no node is titled {title!r}; there are {', '.join(ids)}")
    return ids[title]


def set_inputs(prompt: Prompt, title: str, **inputs: Value) -> None:
    """Change inputs of one node; KeyError for an input that the node does not have."""
    node = prompt[node_id(prompt, title)]
    if unknown := inputs.keys() - node["inputs"].keys():
        raise KeyError(f"{title} has no input {', '.join(unknown)}; it has {', '.join(node['inputs'])}")
    node["inputs"].update(inputs)


def exchange_patch(prompt: Prompt, node_class: str, inputs: dict[str, Value]) -> None:
    """Put another patch node with these inputs in the place of BlockDance Patch, under the same title."""
    node = prompt[node_id(prompt, PATCH)]
    node["class_type"] = node_class
    node["inputs"] = {"model": node["inputs"]["model"], **inputs}


def remove_patch(prompt: Prompt) -> None:
    """Take BlockDance Patch out, so that its model input goes where its output went."""
    patch = node_id(prompt, PATCH)
    replace_links(prompt, [patch, 0], prompt.pop(patch)["inputs"]["model"])
