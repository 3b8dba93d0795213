"""Words for how close a picture is to that of a full run: their borders in dB, against SSIM."""

import csv
import math

import pytest

from blockdance.blockdance_core.closeness import Closeness, closeness
from blockdance.tests.documents import ROOT

# 144 pictures of picture world, each beside that of the full run: 12 captions, drawn with fewer steps and by Auto
with (ROOT / "docs/internals/closeness.csv").open(newline="", encoding="utf-8") as file:
    PICTURES = [(float(row["psnr"]), float(row["ssim"])) for row in csv.DictReader(file)]
LEAST_SSIM = {Closeness.ALIKE: .99, Closeness.DETAILS: .94}


@pytest.mark.parametrize("word, least", LEAST_SSIM.items(), ids=str)
def test_no_picture_is_called_closer_than_its_ssim_says(word, least):
    found = [ssim for psnr, ssim in PICTURES if closeness(psnr) is word]
    assert len(found) >= 30 and min(found) > least


def test_most_pictures_whose_composition_may_change_are_less_like():
    found = sorted(ssim for psnr, ssim in PICTURES if closeness(psnr) is Closeness.COMPOSITION)
    assert len(found) >= 30 and found[len(found) // 2] < LEAST_SSIM[Closeness.DETAILS]


def test_more_decibels_are_never_a_worse_word():
    order = [Closeness.COMPOSITION, Closeness.DETAILS, Closeness.ALIKE]
    places = [order.index(closeness(decibels)) for decibels in (-5, 10, 27.9, 28, 39.9, 40, 90, math.inf)]
    assert places == sorted(places) and set(places) == {0, 1, 2}
