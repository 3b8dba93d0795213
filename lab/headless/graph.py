"""An API-format workflow: node id -> {"class_type", "inputs", "_meta": {"title"}}; a link is [node id, output slot]."""

import json
from collections.abc import Iterable
from pathlib import Path

from .errors import UsageError

Prompt = dict[str, dict]


def read(path: Path) -> Prompt:
    """The workflow in a file, or the one in the body of a POST /prompt. Raises UsageError, with what to do instead."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("nodes"), list):
        raise UsageError(f"{path} is a workflow as the page saves it. The server runs the API format: open it in "
                         "ComfyUI, choose File > Export (API) from the menu, and give the file that this saves.")
    if isinstance(found, dict) and isinstance(found.get("prompt"), dict) and "class_type" not in found["prompt"]:
        found = found["prompt"]
    wrong = [node for node, value in found.items() if not _is_node(value)] if isinstance(found, dict) else ["the whole"]
    if wrong or not found:
        raise UsageError(f"{path} is no workflow in the API format: every entry needs class_type and inputs"
                         + (f", {wrong[0]!r} has not" if wrong else ", and there is none"))
    return found


def _is_node(value: object) -> bool:
    return isinstance(value, dict) and "class_type" in value and isinstance(value.get("inputs"), dict)


def title(prompt: Prompt, node: str) -> str:
    """What the page shows above the node; its class where it has no title."""
    return prompt[node].get("_meta", {}).get("title") or prompt[node]["class_type"]


def name(prompt: Prompt, node: str) -> str:
    """A node for messages. One that is not in the prompt, as others expand into some, has an id only."""
    if node not in prompt:
        return f"node {node}"
    words = dict.fromkeys((title(prompt, node), prompt[node]["class_type"]))
    return f"node {node} ({', '.join(words)})"


def is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def sources(prompt: Prompt, node: str) -> set[str]:
    """The nodes that this one takes an input from, whether they are there or not."""
    return {value[0] for value in prompt[node]["inputs"].values() if is_link(value)}


def followers(prompt: Prompt, nodes: Iterable[str]) -> list[str]:
    """The nodes that take an input from one of these."""
    wanted = set(nodes)
    return [node for node in prompt if sources(prompt, node) & wanted]


def replace_links(prompt: Prompt, old: list, new: object) -> None:
    """Put the value or link `new` in the place of every link to the output `old`."""
    for node in prompt.values():
        node["inputs"] = {key: new if value == old else value for key, value in node["inputs"].items()}
