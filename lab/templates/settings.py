"""What the nodes of a prompt are set to, also where the value comes from another node."""

from lab.headless.graph import Prompt, is_link

SWITCHES = ("ComfySwitchNode",)
VALUES = ("PrimitiveInt", "PrimitiveFloat", "PrimitiveBoolean", "PrimitiveString", "PrimitiveStringMultiline",
          "SeedNode", "CustomCombo")


def setting(prompt: Prompt, node: str, given: str) -> object:
    """The value of an input, through nodes that only hold one or choose one; None where it is computed."""
    return _value(prompt, prompt[node]["inputs"].get(given), 0)


def chosen(prompt: Prompt, link: list) -> list:
    """The output that a link leads to, through switches that are set."""
    node = prompt.get(link[0], {})
    if node.get("class_type") in SWITCHES:
        on = _value(prompt, node["inputs"].get("switch"), 0)
        taken = node["inputs"].get("on_true" if on else "on_false")
        if on is not None and is_link(taken):
            return chosen(prompt, taken)
    return link


def _value(prompt: Prompt, value: object, depth: int) -> object:
    if not is_link(value):
        return value
    node = prompt.get(value[0])
    if node is None or depth > 20:
        return None
    inputs = node["inputs"]
    if node["class_type"] in SWITCHES:
        on = _value(prompt, inputs.get("switch"), depth + 1)
        return None if on is None else _value(prompt, inputs.get("on_true" if on else "on_false"), depth + 1)
    if node["class_type"] in VALUES:
        return _value(prompt, next((inputs[key] for key in ("value", "choice", "seed") if key in inputs), None),
                      depth + 1)
    return None
