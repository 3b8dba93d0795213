"""A prompt on a server, with a bar while it runs and a line when it is done."""

import sys

from . import client, graph, progress
from .graph import Prompt

MISSING = "some outputs are missing, as is said above; the others are saved"


def submit(server: str, label: str, prompt: Prompt) -> client.Result:
    """As client.submit."""
    result = client.submit(server, prompt, progress.bar(prompt, label))
    progress.clear()
    tell(label, prompt, result)
    return result


def tell(label: str, prompt: Prompt, result: client.Result) -> None:
    """On stderr: how long it took, what its nodes said last, and what is missing."""
    seconds = f"{sum(result.seconds.values()):.2f} s"
    print(f"{label}: {seconds}" if label else f"done in {seconds}", file=sys.stderr)
    for node, lines in result.texts.items():
        print(f"  {graph.name(prompt, node)}: {lines[-1]}", file=sys.stderr)
    for problem in result.problems:
        print(f"  {problem}", file=sys.stderr)
