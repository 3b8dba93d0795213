"""An error is split into structure and details, and nothing of it is lost."""

import math

import pytest
import torch

from blockdance.lab.benchmarks.bands import CYCLES, psnr, split


@pytest.mark.parametrize("shape", [(3, 64, 64), (16, 3, 24, 24), (3, 48, 80)])
def test_the_parts_add_up_to_the_whole(shape):
    error = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert sum(split(error)) == pytest.approx(float(error.square().mean()), rel=1e-5)


@pytest.mark.parametrize("cycles, fine", [(1, False), (CYCLES - 1, False), (CYCLES + 1, True), (CYCLES * 2, True)])
@pytest.mark.parametrize("size", [64, 96])
def test_a_wave_belongs_to_the_band_of_its_length(size, cycles, fine):
    places = (torch.arange(size) + .5) * math.pi / size
    wave = torch.cos(2 * cycles * places).expand(3, size, size)
    structure, detail = split(wave)
    assert (detail if fine else structure) == pytest.approx(.5, rel=1e-4)
    assert (structure if fine else detail) < 1e-6


def test_equal_pictures_have_no_error_in_either_band():
    assert psnr(torch.zeros(3, 8, 8)) == (math.inf, math.inf)
    structure, detail = psnr(torch.full((3, 8, 8), .1))
    assert structure == pytest.approx(20, abs=1e-3) and detail > 80
