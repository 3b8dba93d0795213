"""What the server's nodes take and give, from its /object_info."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from . import client
from .errors import MissingNodes
from .graph import Prompt, name

PACK = "BlockDancePatch"  # tells which module of the server this pack is: its folder can have any name


@dataclass(frozen=True)
class Input:
    type: str  # INT, FLOAT, BOOLEAN, STRING, COMBO, or the type of a connection
    options: tuple = ()  # of a COMBO; none where the server takes others, too, as for files to be uploaded
    least: float | None = None  # of a number
    most: float | None = None
    default: object = None
    words: dict[str, dict[str, float]] = field(default_factory=dict)  # options that stand for values of other inputs

    @property
    def default_in_words(self) -> str:
        """What it is where a workflow leaves it out."""
        return "not in the file, so its default" + (f", {self.default}" if self.default not in (None, "") else "")

    @property
    def allowed(self) -> str:
        """What it takes, in words; nothing where there is nothing to say."""
        if self.options:
            return f"one of {', '.join(map(str, self.options))}"
        if self.type == "BOOLEAN":
            return "true or false"
        if None in (self.least, self.most):
            return ""
        return f"{self.least} to {self.most}"


@dataclass(frozen=True)
class NodeType:
    inputs: dict[str, Input]
    outputs: tuple[str, ...]  # types
    category: str
    ours: bool  # of this pack
    output: bool = False  # it runs, and so does what it depends on; others run for such nodes alone

    def input_of(self, type_: str) -> str | None:
        """The first input of this type."""
        return next((key for key, value in self.inputs.items() if value.type == type_), None)


Types = dict[str, NodeType]  # by class


def node_types(url: str, prompt: Prompt, others: Iterable[str] = ()) -> Types:
    """Those of the prompt, and other classes. Raises ServerLost, and MissingNodes naming every node whose class the
    server lacks, and such classes."""
    others = list(others)
    info = client.object_info(url, {PACK, *others, *(node["class_type"] for node in prompt.values())})
    missing = [name(prompt, node) for node, value in prompt.items() if value["class_type"] not in info]
    if missing := missing + [other for other in others if other not in info]:
        raise MissingNodes(_missing(url, missing, PACK in info))
    pack = info.get(PACK, {}).get("python_module")
    return {node_class: _node_type(found, pack) for node_class, found in info.items()}


def _missing(url: str, nodes: Iterable[str], has_pack: bool) -> str:
    lines = [f"the server at {url} does not have these nodes:", *(f"  {node}" for node in nodes)]
    lines.append("Install the packs that they are from and restart ComfyUI." if has_pack else
                 "It does not have BlockDance either: install it, or see the server's log for why it was not loaded.")
    return "\n".join(lines)


def _node_type(info: dict, pack: str | None) -> NodeType:
    given = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
    return NodeType({key: _input(*spec) for key, spec in given.items()}, tuple(map(str, info["output"])),
                    info.get("category", ""), info.get("python_module") == pack, bool(info.get("output_node")))


def _input(kind: str | list, settings: dict | None = None) -> Input:
    settings = settings or {}
    if isinstance(kind, list):  # how nodes of the older interface write a COMBO
        kind, settings = "COMBO", settings | {"options": kind}
    closed = kind == "COMBO" and not any(key.endswith("_upload") or key == "remote" for key in settings)
    return Input(kind, tuple(settings.get("options") or ()) if closed else (), settings.get("min"), settings.get("max"),
                 settings.get("default"), _words(settings.get("numbers")))


def _words(found: object) -> dict[str, dict[str, float]]:
    """As nodes of this pack have it; others may mean something else by the key."""
    return found if isinstance(found, dict) and all(isinstance(word, dict) for word in found.values()) else {}
