"""ControlNets on one of the conditions: added outside of a span, contained within it, gone when they end."""

from functools import partial

import comfy.controlnet
import node_helpers
import pytest
import torch

from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.plan.plan import Kind
from blockdance.tests.models.tiny import Tiny, sample
from blockdance.tests.trial import TINIES, Trial, guided_by

METHOD = DeltaCacheMethod(N=2, n_cached=4)  # on Flux: the double blocks and the first single one
FEATURE = DeltaCacheMethod(N=2, n_cached=4, kind=Kind.FEATURE)


@pytest.fixture(params=TINIES[:2])
def tiny(request) -> Tiny:
    return request.param


class Residuals(comfy.controlnet.ControlBase):
    """What a ControlNet gives, without the network."""

    def __init__(self, tiny: Tiny, strength: float, start: float, end: float):
        super().__init__()
        self._tiny = tiny
        self.set_cond_hint(None, strength, (start, end))

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        previous = self.previous_controlnet
        before = previous and previous.get_control(x_noisy, t, cond, batched_number, transformer_options)
        if not self.timestep_range[1] <= t[0] <= self.timestep_range[0]:
            return before
        return self.control_merge(self._tiny.control(), before, output_dtype=None)


def controlled(tiny: Tiny, start: float = 0., end: float = 1., previous: Residuals | None = None,
               seed: int = 10) -> list:
    net = Residuals(tiny, .2, start, end)
    net.set_previous_controlnet(previous)
    return node_helpers.conditioning_set_values(
        tiny.conditioning(seed), {"control": net, "control_apply_to_uncond": False})


@pytest.mark.parametrize("method", [METHOD, FEATURE], ids=["delta", "feature"])
def test_controlnet(tiny, method):
    plain = Trial(tiny).sample(partial(sample, tiny=tiny), method)
    for previous in (None, Residuals(tiny, .1, 0., 1.)):
        trial = Trial(tiny)
        positive = controlled(tiny, previous=previous)
        picture = trial.check(partial(sample, tiny=tiny, positive=positive), method, bound=.5)
        assert trial.reports[0].misses == 0 and not torch.allclose(picture, plain)


def test_a_controlnet_that_ends(tiny):
    """What was stored with its residuals is not used after it."""
    trial = Trial(tiny)
    trial.check(partial(sample, tiny=tiny, positive=controlled(tiny, end=.6)), METHOD, bound=.5)
    assert [(e.step, e.misses) for e in trial.reports[0].evaluations if e.misses] == [(5, 1)]


def test_a_controlnet_does_not_reach_the_other_condition(tiny):
    trial = Trial(tiny, guided_by("uncond"))
    with_control, without = (trial.sample(partial(sample, tiny=tiny, positive=positive), METHOD)
                             for positive in (controlled(tiny), tiny.conditioning(10)))
    torch.testing.assert_close(with_control, without, rtol=1e-3, atol=1e-3)  # batches round differently
