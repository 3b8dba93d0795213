"""All pictures of the comparison on one labelled sheet: a column for each way of sampling, and for each caption a row
of pictures with a row of their differences from full sampling below."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lab.headless import quality

from .picture import Arm, Picture
from .table import Row

TILE = 192  # pixels a side
GAP = 12
EXCERPT_ARMS, EXCERPT_CAPTIONS = 5, 2
AMPLIFIED = 4  # how many times as bright differences are shown as they are
TITLE, SMALL = 22, 19  # sizes of letters, legible where the sheet is shown at half its size
TOP = GAP + TITLE + 2 * SMALL + 4 * GAP  # a column's name, speed-up and distance
ROW = SMALL + GAP + TILE + GAP // 2 + TILE + SMALL + 2 * GAP  # caption, pictures, differences, labels


def size(captions: int, arms: int) -> tuple[int, int]:
    """Width and height in pixels."""
    return GAP + arms * (TILE + GAP), TOP + captions * ROW


def sheet(pictures: dict[Arm, list[Picture]], table: list[Row]) -> Image.Image:
    """The sheet; the first arm is the one that the others are compared with."""
    full, *_ = pictures.values()
    image = Image.new("RGB", size(len(full), len(pictures)), "white")
    draw, title, small = ImageDraw.Draw(image), ImageFont.load_default(TITLE), ImageFont.load_default(SMALL)
    for index, picture in enumerate(full):
        draw.text((GAP, TOP + index * ROW), picture.caption, "black", small)
    for column, (runs, row) in enumerate(zip(pictures.values(), table)):
        left = GAP + column * (TILE + GAP)
        draw.text((left, GAP), row.arm.name, "black", title)
        for line, words in enumerate(_heading(row, column == 0)):
            draw.text((left, 2 * GAP + TITLE + line * (SMALL + 3)), words, "black", small)
        for index, (run, reference) in enumerate(zip(runs, full)):
            top = TOP + index * ROW + SMALL + GAP
            below = top + TILE + GAP // 2
            _paste(image, draw, run.pixels, left, top)
            if column:
                _paste(image, draw, difference(run.pixels, reference.pixels), left, below)
                distance = _distance(quality.psnr(run.pixels, reference.pixels))
                draw.text((left, below + TILE + 3), distance, "black", small)
            else:
                draw.multiline_text((left, below + TILE // 3), f"difference from\nfull sampling,\n{AMPLIFIED} times as "
                                    "bright", "black", small)
    return image


def excerpt(whole: Image.Image) -> Image.Image:
    """Of a sheet what a page has room for: the first ways of sampling and the first captions, without differences."""
    width, kept = min(size(0, EXCERPT_ARMS)[0], whole.width), SMALL + GAP + TILE + 2
    captions = min(EXCERPT_CAPTIONS, (whole.height - TOP) // ROW)
    image = Image.new("RGB", (width, TOP + captions * (kept + GAP)), "white")
    image.paste(whole.crop((0, 0, width, TOP)), (0, 0))
    for index in range(captions):
        top = TOP + index * ROW
        image.paste(whole.crop((0, top, width, top + kept)), (0, TOP + index * (kept + GAP)))
    return image


def difference(picture: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Of (S, S, 3) in [0, 1]: black where they are the same, brighter where they are not."""
    return (np.abs(picture - reference) * AMPLIFIED).clip(0, 1)


def _paste(image: Image.Image, draw: ImageDraw.ImageDraw, pixels: np.ndarray, left: int, top: int) -> None:
    """Each pixel as a square, as that is what the model drew; framed, as a picture may be as white as the sheet."""
    draw.rectangle((left - 1, top - 1, left + TILE, top + TILE), outline="silver")
    tile = Image.fromarray((pixels * 255).round().astype("uint8"))
    image.paste(tile.resize((TILE, TILE), Image.Resampling.NEAREST), (left, top))


def _heading(row: Row, full: bool) -> tuple[str, str]:
    if full:
        return f"{row.seconds:.1f} s", f"{row.steps} steps"
    return f"{row.speedup:.2f}x as fast", _distance(row.psnr)


def _distance(psnr: float) -> str:
    return "identical" if math.isinf(psnr) else f"{psnr:.1f} dB"
