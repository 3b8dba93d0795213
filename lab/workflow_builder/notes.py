"""The note beside a workflow: what it shows, what to expect, what to turn first, and the files that it needs."""

import re
from collections.abc import Iterable

from .graph import File, Node

WIDTH = 400
LINE, CHARACTERS = 20, 58  # height of a line in pixels, and how many characters fit on one

def note(title: str, text: str, loading: Iterable[Node] = ()) -> Node:
    """A MarkdownNote of the text, followed by links to the files of these nodes.

    Without code spans, which Nodes 2.0 prints blue on blue.
    """
    files = [*dict.fromkeys(file for node in loading for file in node.files)]
    paragraphs = [f"## {title}", *map(_unwrapped, text.strip().split("\n\n")), *_links(files)]
    markdown = "\n\n".join(paragraphs)
    rows = sum(-(-max(1, len(line)) // CHARACTERS) for line in _visible(markdown).splitlines())
    return Node("MarkdownNote", {"text": markdown}, title="About this workflow", size=(WIDTH, rows * LINE + 40))


def _unwrapped(paragraph: str) -> str:
    """Without the line ends of the source; those before an item of a list stay."""
    return re.sub(r"\n(?!- |\d\. )", " ", paragraph)


def _links(files: list[File]) -> list[str]:
    if not files:
        return []
    lines = [f"- [{file.name}]({file.url}) into *models/{file.directory}*" for file in files]
    renamed = [f"Rename *{file.served_as}* to *{file.name}*." for file in files
               if file.served_as != file.name]
    return ["### Files", "\n".join(lines), *renamed]


def _visible(markdown: str) -> str:
    """Without the targets of links, which take no room."""
    parts = markdown.split("](")
    return parts[0] + "".join("]" + part.partition(")")[2] for part in parts[1:])
