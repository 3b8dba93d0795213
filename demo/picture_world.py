"""Picture world: drawn things on coloured grounds, with captions in words.

    fox face, animals, fluent, large, center, on striped blue

A caption names one thing or two ("fox face and rocket": the first is left, the second right), then may say its
category, the set of drawings, its size and place, and the ground. All but the name can be left out; then anything goes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

import torch
from torch.nn import functional

from . import emoji

SIZE = 64
PATCH = 4  # pixels a side of a token
LATENT = (3, SIZE, SIZE)
TOKENS = 20  # words of a caption at most
CHANNELS = 128  # of a word's embedding

SIZES = {"large": 56, "medium": 44, "small": 30}  # pixels a side
PLACES = {"center": (.5, .5), "left": (.5, 0.), "right": (.5, 1.), "top": (0., .5), "bottom": (1., .5)}
JITTER = 2  # pixels, either way
GROUNDS = "plain", "gradient", "striped", "dotted", "checkered", "cloudy"
COLORS = {
    "white": (.97, .97, .97), "black": (.06, .06, .07), "grey": (.55, .56, .58), "red": (.82, .20, .22),
    "orange": (.95, .58, .20), "yellow": (.96, .86, .35), "green": (.30, .65, .32), "teal": (.16, .60, .60),
    "sky": (.58, .80, .96), "blue": (.18, .32, .75), "purple": (.52, .32, .70), "pink": (.96, .68, .76)}
SETS = tuple(one.name for one in emoji.SETS)
PAIR = "and"  # between two things
ON = "on"  # before the ground
PAIRS = .2  # share of training pictures with two things
SAID = {"category": .4, "set": .85, "size": .6, "ground": .85}  # share of training captions that say it
HELD_OUT = 10  # one in so many combinations of thing and ground is never trained on


@dataclass(frozen=True)
class Vocabulary:
    """The words of captions; the index of a word is its token. The first stands for no word at all."""
    words: tuple[str, ...]

    @classmethod
    def of(cls, things: Sequence[emoji.Emoji]) -> "Vocabulary":
        fixed = ("", PAIR, ON, *SETS, *SIZES, *PLACES, *GROUNDS, *COLORS)
        said = {word for thing in things for word in (*thing.name.split(), thing.category)}
        return cls((*fixed, *sorted(said - set(fixed))))

    def tokens(self, words: Sequence[str]) -> list[int]:
        return [self.words.index(word) for word in words]


@dataclass(frozen=True)
class Batch:
    """pictures: (B, 3, SIZE, SIZE) in [-1, 1]; tokens: (B, TOKENS); things: (B,), the index of the first thing."""
    pictures: torch.Tensor
    tokens: torch.Tensor
    things: torch.Tensor


class World:
    """What training draws from: all drawings at all sizes, on one device."""

    def __init__(self, things: Sequence[emoji.Emoji], device: torch.device):
        self.vocabulary = Vocabulary.of(things)
        self.names = tuple(thing.name for thing in things)
        self._device = device
        drawings = torch.stack([torch.from_numpy(thing.drawings) for thing in things])  # (N, SETS, S, S, 4)
        self._drawings = [_scaled(drawings, pixels).to(device) for pixels in SIZES.values()]
        self._names = torch.tensor([(self.vocabulary.tokens(name.split()) + [0] * TOKENS)[:TOKENS]
                                    for name in self.names], device=device)  # (N, TOKENS)
        self._categories = torch.tensor(self.vocabulary.tokens([thing.category for thing in things]), device=device)
        self._fixed = {names: torch.tensor(self.vocabulary.tokens(names), device=device)
                       for names in ((PAIR,), (ON,), SETS, tuple(SIZES), tuple(PLACES), GROUNDS, tuple(COLORS))}
        self._colors = torch.tensor(list(COLORS.values()), device=device)
        self._places = torch.tensor(list(PLACES.values()), device=device)

    @classmethod
    def load(cls, cache: Path, device: torch.device = torch.device("cpu")) -> "World":
        """Raises emoji.EmojiError where the emoji cannot be fetched."""
        return cls(emoji.load(cache), device)

    def batch(self, count: int, generator: torch.Generator | None = None, held_out: bool = False,
              pairs: float = PAIRS) -> Batch:
        """Random pictures with their captions; `held_out`: of the combinations that no training sees."""
        def integers(below: int) -> torch.Tensor:
            return torch.randint(below, (count,), generator=generator, device=self._device)

        def share(part: float) -> torch.Tensor:
            return torch.rand(count, generator=generator, device=self._device) < part

        thing, other, one_set = integers(len(self.names)), integers(len(self.names)), integers(len(SETS))
        size, place, ground = integers(len(SIZES)), integers(len(PLACES)), integers(len(GROUNDS))
        pair = share(pairs)
        size, place = torch.where(pair, 2, size), torch.where(size == 0, 0, place)  # a large thing is in the centre
        color = _color_of(thing, one_set, ground, integers(len(COLORS)), held_out)
        jitter = torch.randint(-JITTER, JITTER + 1, (2, count, 2), generator=generator, device=self._device)
        picture = _grounds(ground, self._colors[color], generator)
        place_second = self._places[2].expand(count, -1)
        place_first = torch.where(pair[:, None], self._places[1], self._places[place])
        for index, pixels in enumerate(SIZES.values()):
            corner = ((SIZE - pixels) * place_first).round().long() + jitter[0]
            _paste(picture, self._drawings[index][thing, one_set], corner, size == index)
        corner = ((SIZE - SIZES["small"]) * place_second).round().long() + jitter[1]
        _paste(picture, self._drawings[2][other, one_set], corner, pair)
        tokens = self._tokens(thing, other, one_set, size, place, ground, color, pair,
                              {name: share(part) for name, part in SAID.items()})
        return Batch(picture * 2 - 1, tokens, thing)

    def _tokens(self, thing, other, one_set, size, place, ground, color, pair, said) -> torch.Tensor:
        """(B, TOKENS): the words that are said, in the order of captions, then no words."""
        def word(names: tuple[str, ...], index: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
            return torch.where(where, self._fixed[names][index], 0)[:, None]

        one, two = torch.zeros_like(thing), pair[:, None]
        columns = (self._names[thing], word((PAIR,), one, pair), torch.where(two, self._names[other], 0),
                   torch.where(said["category"] & ~pair, self._categories[thing], 0)[:, None],
                   word(SETS, one_set, said["set"]), word(tuple(SIZES), size, said["size"] & ~pair),
                   word(tuple(PLACES), place, said["size"] & ~pair), word((ON,), one, said["ground"]),
                   word(GROUNDS, ground, said["ground"]), word(tuple(COLORS), color, said["ground"]))
        tokens = torch.cat(columns, 1)
        order = (tokens == 0).long().argsort(stable=True, dim=1)
        return tokens.gather(1, order)[:, :TOKENS]

    def words(self, tokens: torch.Tensor) -> str:
        """The caption of one row of tokens, as a person would write it without commas."""
        return " ".join(self.vocabulary.words[token] for token in tokens.tolist() if token)


def _color_of(thing: torch.Tensor, one_set: torch.Tensor, ground: torch.Tensor, color: torch.Tensor, held_out: bool
              ) -> torch.Tensor:
    """The colour, changed to one that makes the combination a held-out one, or keeps it from being one."""
    unseen = is_held_out(thing, one_set, ground, color)
    if held_out:
        wanted = -_combination(thing, one_set, ground, 0) % HELD_OUT  # a colour from 0 to 9
        return torch.where(unseen, color, wanted)
    return torch.where(unseen, (color + 1) % len(COLORS), color)


def is_held_out(thing, one_set, ground, color):
    """Whether the thing of this set on this ground is never trained on; of whole numbers, or of tensors of them."""
    return _combination(thing, one_set, ground, color) % HELD_OUT == 0


def _combination(thing, one_set, ground, color):
    return thing * 7 + one_set * 3 + ground * 5 + color


def _scaled(drawings: torch.Tensor, pixels: int) -> torch.Tensor:
    """(N, SETS, S, S, 4) as bytes -> (N, SETS, 4, pixels, pixels) as bytes, with premultiplied colours."""
    scaled = []
    for part in drawings.split(64):
        values = part.float().div(255).movedim(-1, 2)  # (n, SETS, 4, S, S)
        values[:, :, :3] *= values[:, :, 3:]
        smaller = functional.interpolate(values.flatten(0, 1), (pixels, pixels), mode="bilinear", antialias=True)
        scaled.append(smaller.unflatten(0, part.shape[:2]).mul(255).round().to(torch.uint8))
    return torch.cat(scaled)


def _paste(picture: torch.Tensor, drawings: torch.Tensor, corners: torch.Tensor, where: torch.Tensor) -> None:
    """Put (B, 4, s, s) into (B, 3, S, S) in place, with the upper left corners at (B, 2), where (B,) says so."""
    count, size, pixels = len(picture), picture.shape[-1], drawings.shape[-1]
    places = torch.arange(size, device=picture.device) - corners[..., None]  # (B, 2, S)
    inside = ((places >= 0) & (places < pixels))
    places = places.clamp(0, pixels - 1)
    rows = torch.arange(count, device=picture.device)[:, None, None]
    values = drawings[rows, :, places[:, 0, :, None], places[:, 1, None, :]].movedim(-1, 1).float() / 255
    mask = inside[:, 0, :, None] & inside[:, 1, None, :] & where[:, None, None]  # (B, S, S)
    values *= mask[:, None]
    picture.mul_(1 - values[:, 3:]).add_(values[:, :3])


def _grounds(kinds: torch.Tensor, colors: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """(B, 3, SIZE, SIZE) in [0, 1]: the colour, and towards another tone of it in the pattern of its kind."""
    count, device = len(kinds), kinds.device
    random = torch.rand(count, 8, generator=generator, device=device)[..., None, None]  # (B, 8, 1, 1)
    pixels = (torch.arange(SIZE, device=device) + .5) / SIZE
    down, across = pixels[None, :, None], pixels[None, None, :]
    turn = random[:, 0] * 6.2832
    along = down * turn.sin() + across * turn.cos()  # (B, S, S)
    period = 4 + 5 * random[:, 1]
    distance = sum((period * (axis + random[:, place])).frac().sub(.5).square()
                   for place, axis in ((2, down), (3, across)))  # squared, from the middle of a dot
    clouds = sum(functional.interpolate(
        torch.rand(count, 1, cells, cells, generator=generator, device=device), (SIZE, SIZE), mode="bicubic",
        align_corners=True)[:, 0] * part for cells, part in ((4, .65), (9, .35)))
    fields = torch.stack([
        torch.zeros_like(along), (.5 + along / 2.2).clamp(0, 1),
        ((period * along + random[:, 4]) * 6.2832).sin().mul(6).clamp(-1, 1) / 2 + .5,
        (.09 - distance).mul(60).clamp(0, 1),
        (((period * (down + random[:, 5])).floor() + (period * (across + random[:, 6])).floor()) % 2),
        (clouds * 2.4 - .7).clamp(0, 1)], 1)  # (B, GROUNDS, S, S)
    field = fields[torch.arange(count, device=device), kinds][:, None]
    light = colors.mean(1) < .6
    target = torch.where(light[:, None], colors + (1 - colors) * .45, colors * .62)
    tone = colors + .04 * (random[:, 7, 0] - .5)
    return torch.lerp(tone[..., None, None], target[..., None, None], field).clamp(0, 1)
