"""Numbers and names in sentences: "1 step", "2 steps are", "an output"."""


def count(number: int, thing: str, things: str = "") -> str:
    """So many of a thing; its plural takes an s unless another is given."""
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


def are(number: int, thing: str) -> str:
    """So many of a thing, and the verb that goes with them."""
    return f"{count(number, thing)} {'is' if number == 1 else 'are'}"


def article(word: str) -> str:
    """The word with its a or an, by its first letter."""
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"
