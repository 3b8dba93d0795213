"""The step of an evaluation, against the sigmas that ComfyUI's samplers really ask for."""

import comfy.samplers
import pytest

from blockdance.blockdance_core.comfy import run
from blockdance.blockdance_core.comfy import step_tracking as tracker
from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.tests.models.tiny import FLUX, PIXART, sample


@pytest.mark.parametrize("tiny", [PIXART, FLUX], ids=["eps", "flow"])
@pytest.mark.parametrize("sampler", [s for s in comfy.samplers.SAMPLER_NAMES if s not in ("dpm_adaptive", "dpm_fast")])
def test_counting_agrees_with_the_sigmas(tiny, sampler, monkeypatch):
    steps = []

    class Watched(tracker.StepTracker):
        def now(self, timestep):
            step, sigma = super().now(timestep)
            assert sigma == pytest.approx(float(timestep.max()), rel=1e-3)
            steps.append((step, self._schedule.step_at(float(timestep.max())), self.counts))
            return step, sigma
    monkeypatch.setattr(run, "StepTracker", Watched)
    sample(attach(tiny.build(), BlockDanceMethod()), tiny, steps=6, sampler=sampler, cfg=1.)
    assert all(step == by_sigma for step, by_sigma, _ in steps)
    if steps[0][2]:
        assert [step for step, *_ in steps] == [0, 1, 2, 3, 4, 5]
