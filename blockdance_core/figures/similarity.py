"""What the probe has recorded: heat maps, a matrix of steps, and pictures of features."""

import torch
from PIL import Image, ImageDraw

from ..analysis.similarity import Similarity
from ..analysis.similarity import colors as principal_colors
from ..plan.plan import Kind
from .canvas import GAP, NORMAL, SMALL, Theme, axes, beside, message, sheet, text_width, write

_NAMES = {Kind.FEATURE: "features", Kind.DELTA: "deltas"}
_MEANINGS = {
    Kind.FEATURE: "A feature is the hidden state after a block. Where it hardly moves, BlockDance can reuse it "
                  "(BlockDance, Figure 2).",
    Kind.DELTA: "A delta is what a block adds to the hidden state. Where it hardly changes, Delta-Cache can reuse it "
                "(Delta-DiT, Figure 4c).",
}
_EXTREME = .05  # the share of values beyond either end of a scale
_TILE = 100
# Five points of the viridis color map, dark for low values; even in grey and for color-blind eyes
_SCALE = torch.tensor([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]) / 255.
_BAR = 14


def changes(similarity: Similarity, kind: Kind, block: int, theme: Theme) -> Image.Image:
    """Cosine and relative L1 between neighbouring evaluations, by block; `block` is framed."""
    change = similarity.changes[kind]
    low, high = _low(change.cosine), -_low(-change.distance)
    maps = [heat_map(title, values.T, theme, *limits, "evaluation, compared with the one before", "block", mark=block)
            for title, values, limits in (("cosine similarity", change.cosine, (low, 1.)),
                                          ("relative L1 distance", change.distance, (0., high)))]
    caption = (f"{_MEANINGS[kind]} Left, bright is alike; right, dark is alike. Framed: block {block}. The most "
               f"different {_EXTREME:.0%} of the values share the color at the end of the scale.")
    title = f"How alike the {_NAMES[kind]} of {similarity.transformer.name} are from step to step"
    return sheet(title, caption, beside(maps, theme), theme)


def matrices(similarity: Similarity, block: int, theme: Theme) -> Image.Image:
    """Cosine of one block's features and deltas between every two evaluations."""
    maps = []
    for kind in Kind:
        values = similarity.matrix(kind, block)
        maps.append(heat_map(f"{_NAMES[kind]} of block {block}", values, theme, _low(values), 1., "evaluation",
                             "evaluation", (400, 400)))
    caption = ("Cosine similarity between every two evaluations. Bright squares on the diagonal are stretches within "
               "which one evaluation can stand in for another (BlockDance, Figure 5).")
    return sheet(f"Block {block} of {similarity.transformer.name} at all steps", caption, beside(maps, theme), theme)


def feature_pictures(similarity: Similarity, theme: Theme) -> Image.Image:
    """Principal components of some blocks' features at some steps, as colors."""
    blocks, steps = (sorted(set(numbers)) for numbers in zip(*similarity.pictures)) if similarity.pictures else ((), ())
    title = f"What the features of {similarity.transformer.name} show"
    if not blocks:
        return message(title, "Nothing to show: the tokens of this model are no picture.", theme)
    height, width = next(iter(similarity.pictures.values())).shape[:2]
    tile = max(1, round(_TILE * min(1, width / height))), max(1, round(_TILE * min(1, height / width)))
    left, top = text_width("block 000") + 8, SMALL + 8
    image = Image.new("RGB", (left + len(steps) * (tile[0] + 4), top + len(blocks) * (tile[1] + 4)), theme.background)
    for column, step in enumerate(steps):
        write(image, (left + column * (tile[0] + 4) + tile[0] / 2, 0), f"step {step}", theme, anchor="ma")
    for row, block in enumerate(blocks):
        y = top + row * (tile[1] + 4)
        write(image, (left - 8, y + tile[1] / 2), f"block {block}", theme, anchor="rm")
        present = [step for step in steps if (block, step) in similarity.pictures]
        for step, colors in zip(present, principal_colors([similarity.pictures[block, step] for step in present])):
            picture = Image.fromarray((colors * 255).round().byte().numpy())
            image.paste(picture.resize(tile, Image.Resampling.NEAREST), (left + steps.index(step) * (tile[0] + 4), y))
    caption = ("The three principal components of a block's features as red, green and blue, the same for all its "
               "steps. A block whose pictures stay the same can be reused (BlockDance, Figure 3).")
    return sheet(title, caption, image, theme)


def colors(values: torch.Tensor, low: float, high: float, missing: tuple[int, int, int]) -> torch.Tensor:
    """(...) -> (..., 3) uint8; NaN takes the color `missing`."""
    place = ((values - low) / max(high - low, 1e-12)).clamp(0, 1).nan_to_num(0) * (len(_SCALE) - 1)
    left = place.long().clamp(max=len(_SCALE) - 2)
    mixed = torch.lerp(_SCALE[left], _SCALE[left + 1], (place - left)[..., None])
    mixed[values.isnan()] = torch.tensor(missing) / 255.
    return (mixed * 255).round().byte()


def heat_map(title: str, values: torch.Tensor, theme: Theme, low: float, high: float, x_label: str, y_label: str,
             size: tuple[int, int] = (440, 330), mark: int | None = None) -> Image.Image:
    """A map of (rows, columns) of about this size, in cells of whole pixels; `mark` frames a row."""
    rows, columns = values.shape
    cell = max(1, size[0] // columns), max(1, size[1] // rows)
    width, height = cell[0] * columns, cell[1] * rows
    labels = [f"{low + (high - low) * part:.4f}".rstrip("0").rstrip(".") for part in (0, .5, 1)]
    left, top = SMALL + 6 + text_width("000") + 8, NORMAL + 14
    right = left + width + GAP + _BAR + 6 + max(map(text_width, labels))
    image = Image.new("RGB", (max(right, left + text_width(title, NORMAL)), top + height + 2 * (SMALL + 6)),
                      theme.background)
    draw = ImageDraw.Draw(image)
    write(image, (left, 0), title, theme, NORMAL)
    missing = Image.new("RGB", (1, 1), theme.faint).getpixel((0, 0))
    pixels = Image.fromarray(colors(values, low, high, missing).numpy())
    image.paste(pixels.resize((width, height), Image.Resampling.NEAREST), (left, top))
    axes(image, theme, (left, top), cell, (columns, rows), x_label, y_label)
    if mark is not None:
        draw.rectangle((left - 2, top + mark * cell[1] - 2, left + width + 1, top + (mark + 1) * cell[1] + 1),
                       outline=theme.text, width=2)
    bar = left + width + GAP
    scale = torch.linspace(high, low, height)[:, None].expand(height, _BAR)
    image.paste(Image.fromarray(colors(scale, low, high, missing).numpy()), (bar, top))
    for label, place in zip(labels, (height - 1, height // 2, 0)):
        write(image, (bar + _BAR + 6, top + place), label, theme, anchor="lm")
    return image


def _low(values: torch.Tensor) -> float:
    """The value that all but the most extreme exceed."""
    finite = values[values.isfinite()]
    return float(finite.quantile(_EXTREME)) if len(finite) else 0.
