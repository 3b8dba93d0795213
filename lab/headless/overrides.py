"""`--set "BlockDance Patch.N=3"` and `--sweep "BlockDance Patch.N=2,3,4"`: from text to inputs of a prompt."""

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from .errors import UsageError
from .graph import Prompt, is_link, name, title
from .node_types import Types
from .spelling import meant

FORM = "write NODE.INPUT=VALUE, NODE being a title, a class or an id"
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Setting:
    """One input of one node with a value for it."""
    node: str
    input: str
    value: object
    key: str  # as it was written: NODE.INPUT
    text: str  # the value, likewise


def parse(text: str, prompt: Prompt, types: Types) -> Setting:
    """Raises UsageError for a node or an input that is not there or not clear, and for a value of the wrong type."""
    key, node, given, value = _split(text, prompt, types)
    return Setting(node, given, _value(value, prompt, node, given, types, text), key, value)


def parse_sweep(text: str, prompt: Prompt, types: Types) -> list[Setting]:
    """One setting per value: values are separated by commas, or a JSON list (for texts with commas in them)."""
    key, node, given, values = _split(text, prompt, types)
    try:
        listed = json.loads(values) if values.startswith("[") else values.split(",")
    except ValueError as error:
        raise UsageError(f"{text!r}: the list of values is no JSON: {error}") from error
    if not listed:
        raise UsageError(f"{text!r}: there is no value in the list")
    words = [value if isinstance(value, str) else json.dumps(value) for value in listed]
    return [Setting(node, given, _value(word.strip(), prompt, node, given, types, text), key, word.strip())
            for word in words]


def combinations(sweeps: list[list[Setting]]) -> list[tuple[Setting, ...]]:
    """Every value of each with every value of the others. Raises UsageError where one input is swept twice."""
    swept = [(values[0].node, values[0].input) for values in sweeps]
    if twice := {entry for entry in swept if swept.count(entry) > 1}:
        node, given = twice.pop()
        raise UsageError(f"input {given} of node {node} is swept twice: give all its values in one --sweep")
    return list(product(*sweeps))


def label(settings: tuple[Setting, ...]) -> str:
    """The settings in short: without the node where all are of the same."""
    one = len({setting.node for setting in settings}) == 1
    return ", ".join(f"{setting.input if one else setting.key}={setting.text}" for setting in settings)


def apply(prompt: Prompt, settings: tuple[Setting, ...] | list[Setting]) -> Prompt:
    """A copy with these inputs."""
    changed = copy.deepcopy(prompt)
    for setting in settings:
        changed[setting.node]["inputs"][setting.input] = setting.value
    return changed


def settable(prompt: Prompt, node: str, types: Types) -> list[str]:
    """The inputs of a node that take a value, those that the file leaves at their defaults included."""
    node_type, inputs = types[prompt[node]["class_type"]], prompt[node]["inputs"]
    kinds = {key: value.type for key, value in node_type.inputs.items()} | dict.fromkeys(
        inputs.keys() - node_type.inputs.keys(), "")
    return [key for key, kind in kinds.items() if _takes_value(kind, inputs.get(key))]


def _takes_value(kind: str, present: object) -> bool:
    return kind in ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO") or present is not None and not is_link(present)


def _split(text: str, prompt: Prompt, types: Types) -> tuple[str, str, str, str]:
    """NODE.INPUT, node id, input, VALUE. Titles and inputs may have dots in them, titles equals signs, too."""
    if "." not in text or "=" not in text:
        raise UsageError(f"{text!r} is not understood: {FORM}")
    tiers = ({node: node for node in prompt}, {node: title(prompt, node) for node in prompt},
             {node: value["class_type"] for node, value in prompt.items()})
    known: list[tuple[str, str]] = []  # node, and how it is called here
    for names in tiers:
        known = known or [(node, word) for node, word in names.items() if text.startswith(f"{word}.")]
        found = [(node, f"{word}.{given}", given) for node, word in names.items()
                 for given in settable(prompt, node, types) if text.startswith(f"{word}.{given}=")]
        if len(found) > 1:
            raise UsageError(f"{text!r} could be any of {', '.join(name(prompt, node) for node, *_ in found)}: use "
                             f"the id, as in {found[0][0]}.{found[0][2]}=...")
        if found:
            node, key, given = found[0]
            return key, node, given, text[len(key) + 1:]
    if known:
        node, word = known[0]
        connected = [f"{key} ({value.type})" for key, value in types[prompt[node]["class_type"]].inputs.items()
                     if f".{key}=" in text and key not in settable(prompt, node, types)]
        problem = f"input {connected[0]} takes a connection, not a value" if connected else "there is no such input"
        there = settable(prompt, node, types)
        near = "" if connected else _near(text, (f"{word}.{given}" for given in there))
        raise UsageError(f"{text!r}: {problem}; {name(prompt, node)} has "
                         f"{', '.join(there) or 'no inputs that take a value'}{near}")
    near = _near(text, (f"{names[node]}.{given}" for names in tiers for node in prompt
                        for given in settable(prompt, node, types)))
    raise UsageError(f"{text!r}: there is no such node; {FORM}. There are "
                     f"{', '.join(name(prompt, node) for node in prompt)}{near}")


def _near(text: str, keys: Iterable[str]) -> str:
    """What NODE.INPUT=VALUE was to be, in which NODE may have equals signs."""
    places = [place for place, character in enumerate(text) if character == "="]
    known = list(keys)
    return next(filter(None, (meant(text[:place], known) for place in places)), "")


def _value(text: str, prompt: Prompt, node: str, given: str, types: Types, whole: str) -> object:
    """The text as what the input takes. Whether it is in range is the server's to say."""
    found = types[prompt[node]["class_type"]].inputs.get(given)
    kind = found.type if found else ""
    if kind == "STRING":
        return text
    if kind == "COMBO" and found.options:
        if text not in (allowed := {str(option): option for option in found.options}):
            raise UsageError(f"{whole!r}: {given} of {name(prompt, node)} cannot be {text!r}, only "
                             f"{', '.join(allowed)}{meant(text, allowed)}")
        return allowed[text]
    try:
        if kind == "INT":
            return int(text)
        if kind == "FLOAT":
            return float(text)
    except ValueError:
        raise UsageError(f"{whole!r}: {given} of {name(prompt, node)} is {kind}, {text!r} is not") from None
    if kind == "BOOLEAN":
        if text.lower() not in TRUE + FALSE:
            raise UsageError(f"{whole!r}: {given} of {name(prompt, node)} is BOOLEAN, {text!r} is not: use true or "
                             "false")
        return text.lower() in TRUE
    if kind == "COMBO":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
