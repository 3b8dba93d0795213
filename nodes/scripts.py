"""Calls of nodes by scripts that were made of workflows."""

from collections.abc import Callable
from functools import wraps

from comfy_api.latest import io

HIDDEN = {hidden.name for hidden in io.Hidden}


def callable_by_scripts(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """An `execute` that may be handed the hidden values that its node asks for.

    The executor gives them by itself; scripts hand them over with the inputs, made up, as old nodes took them.
    """
    @wraps(execute)
    def called(cls, *args, **inputs) -> io.NodeOutput:
        return execute(cls, *args, **{name: value for name, value in inputs.items() if name not in HIDDEN})
    return called
