"""All pictures of the comparison on one labelled sheet: a row per caption, a column per arm."""

from PIL import Image, ImageDraw, ImageFont

from lab.headless import quality
from lab.headless.outputs import decibel

from . import world
from .picture import Arm, Picture

ZOOM = 4
TILE = world.SIZE * ZOOM
GAP = 12
LINE = 18  # height of a line of text
ROW = LINE + TILE + LINE + GAP  # caption, pictures, labels


def size(captions: int, arms: int) -> tuple[int, int]:
    """Width and height in pixels."""
    return GAP + arms * (TILE + GAP), LINE + GAP + captions * ROW


def sheet(pictures: dict[Arm, list[Picture]]) -> Image.Image:
    """The sheet; the first arm is the one that the others' PSNR refers to."""
    full, *_ = pictures.values()
    image = Image.new("RGB", size(len(full), len(pictures)), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    for index, picture in enumerate(full):
        draw.text((GAP, LINE + GAP + index * ROW), picture.scene.caption(), "black", font)
    for column, (arm, runs) in enumerate(pictures.items()):
        left = GAP + column * (TILE + GAP)
        draw.text((left, GAP // 2), arm.name, "black", ImageFont.load_default(14))
        for index, (run, reference) in enumerate(zip(runs, full)):
            top = LINE + GAP + index * ROW + LINE
            pixels = Image.fromarray((run.pixels * 255).round().astype("uint8"))
            draw.rectangle((left - 1, top - 1, left + TILE, top + TILE), outline="silver")
            image.paste(pixels.resize((TILE, TILE), Image.Resampling.NEAREST), (left, top))
            label = f"{run.seconds:.2f} s"
            if run is not reference:
                label += f"   {decibel(quality.psnr(run.pixels, reference.pixels))}"
            draw.text((left, top + TILE + 2), label, "black", font)
    return image
