"""The text encoder of picture world: one learned embedding a word and one a place in the caption."""

import difflib
import re
from typing import Sequence

import torch


class UnknownWord(ValueError):
    """A caption has a word that the model was not trained with; the message names it and what is like it."""


class TextEncoder(torch.nn.Module):
    """words: a token's index is its word; the first stands for no word. Learns with the model that it is for."""

    def __init__(self, words: Sequence[str], length: int, channels: int):
        super().__init__()
        self.words = tuple(words)
        self.embedding = torch.nn.Parameter(torch.randn(len(self.words), channels))
        self.position = torch.nn.Parameter(torch.randn(length, channels) * .2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, length, channels) for tokens (B, length)."""
        return torch.nn.functional.embedding(tokens, self.embedding) + self.position

    def tokens(self, caption: str) -> torch.Tensor:
        """(1, length) for a caption; an empty one is the unconditional prompt. Raises UnknownWord and ValueError."""
        words = re.findall(r"[a-z0-9]+", caption.lower().replace("'", ""))
        length = len(self.position)
        if len(words) > length:
            raise ValueError(f"the caption has {len(words)} words and this model reads {length}; leave some out")
        places = {word: index for index, word in enumerate(self.words)}
        for word in words:
            if word not in places:
                like = difflib.get_close_matches(word, self.words[1:], 3)
                hint = f"; did you mean {' or '.join(map(repr, like))}?" if like else ", nor like one of its words"
                raise UnknownWord(f"{word!r} is not a word that this model knows{hint}")
        return torch.tensor([[places[word] for word in words] + [0] * (length - len(words))])
