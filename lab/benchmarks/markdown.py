"""Tables of the reports."""

from typing import Iterable, Sequence


def table(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """One row a line, in Markdown."""
    rows = (columns, ["---"] * len(columns), *lines)
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in rows) + "\n"


def lines(text: str) -> list[tuple[str, ...]]:
    """Those of the one table in a document, without its head."""
    return [tuple(line.strip("| ").split(" | ")) for line in text.splitlines() if line.startswith("| ")][2:]
