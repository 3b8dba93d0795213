"""LPIPS where the package is there, is not, or lacks its weights."""

import sys
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch

from blockdance.blockdance_core.analysis.metrics import lpips

PICTURES = torch.rand(3, 3, 40, 48, generator=torch.Generator().manual_seed(0))


class Metric(torch.nn.Module):
    """With the signature of lpips.LPIPS 0.1.4."""

    def __init__(self, pretrained=True, net="alex", version="0.1", lpips=True, spatial=False, verbose=True):
        super().__init__()
        assert net == "alex" and not verbose

    def forward(self, in0, in1, retPerLayer=False, normalize=False):
        assert normalize, "pictures in [0, 1] have to be spread to [-1, 1]"
        return (in0 - in1).abs().mean((1, 2, 3), keepdim=True)


def test_each_pair_has_a_distance(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=Metric))
    distances, missing = lpips(PICTURES, PICTURES * .5)
    assert distances == pytest.approx((PICTURES / 2).mean((1, 2, 3)).tolist()) and not missing


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    distances, missing = lpips(PICTURES, PICTURES)
    assert distances is None and "install the package lpips" in missing


@pytest.mark.parametrize("error", [URLError("no route"), RuntimeError("PytorchStreamReader failed")])
def test_without_its_weights_it_says_so(monkeypatch, error):
    def fail(**_):
        raise error
    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=fail))
    distances, missing = lpips(PICTURES, PICTURES)
    assert distances is None and "could not be downloaded or read" in missing and str(error) in missing


def test_pictures_that_are_too_small_are_not_tried():
    distances, missing = lpips(PICTURES[..., :30], PICTURES[..., :30])
    assert distances is None and "at least 31 x 31" in missing
