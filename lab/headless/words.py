"""Inputs whose words stand for values of others, as `quality` of BlockDance Auto does for its two numbers: who gives
one of these numbers wants it to count."""

from collections.abc import Iterable

from .graph import Prompt, name
from .node_types import Types
from .overrides import Setting

CUSTOM = "custom"  # the word that leaves the numbers as they are set


def spelled_out(prompt: Prompt, types: Types, given: Iterable[Setting]) -> list[Setting]:
    """What has to be set besides, before these, so that they count: the word is exchanged for what it stands for. A
    word that is given itself stays: so it is wanted."""
    touched = {(setting.node, setting.input) for setting in given}
    added = []
    for node in dict.fromkeys(node for node, _ in touched):
        inputs = prompt[node]["inputs"]
        for key, kind in types[prompt[node]["class_type"]].inputs.items():
            values = kind.words.get(str(inputs.get(key)), {})
            if (node, key) not in touched and any((node, other) in touched for other in values):
                added += [Setting(node, other, value, f"{node}.{other}", str(value))
                          for other, value in {**values, key: CUSTOM}.items()]
    return added


def told(prompt: Prompt, added: Iterable[Setting]) -> list[str]:
    """A line for each node."""
    by_node: dict[str, list[Setting]] = {}
    for setting in added:
        by_node.setdefault(setting.node, []).append(setting)
    return [f"{name(prompt, node)}: its word {prompt[node]['inputs'][settings[-1].input]!r} gives way to "
            f"{', '.join(f'{setting.input}={setting.text}' for setting in settings)}, so that what is set counts"
            for node, settings in by_node.items()]
