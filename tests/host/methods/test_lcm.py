"""Delta-DiT at four steps with the lcm sampler, as the paper runs PixArt-LCM."""

import pytest

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.methods.presets import PRESETS
from blockdance.tests.models.tiny import PIXART, sample


@pytest.mark.parametrize("count", [4, 6, 11, 16])
def test_four_steps(count):
    deeper = PIXART.of_depth(28)
    reports = []
    method = PRESETS[f"Delta-DiT, PixArt-LCM, Nc={count} (4 steps, lcm)"]
    sample(attach(deeper.build(), method, reports.append), deeper, steps=4, sampler="lcm", cfg=1.)
    assert reports[0].executed == 4 * 28 - 2 * count
    spans = [evaluation.reuse and evaluation.reuse.span for evaluation in reports[0].evaluations]
    assert [span and (span.first, span.last) for span in spans] == [None, (28 - count, 27), None, (0, count - 1)]
