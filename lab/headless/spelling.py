"""What a word that nobody knows was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, to be put after a message, and nothing where no known word is like this one."""
    lower = {other.lower(): other for other in known}
    found = get_close_matches(word.lower(), lower, 1)
    return f"; did you mean {lower[found[0]]}?" if found else ""
