"""Two passes share what is stored only when all of their identity is equal, whatever order they come in."""

import comfy.context_windows
import pytest
import torch

from blockdance.blockdance_core.comfy.models.architectures import TRANSFORMERS
from blockdance.blockdance_core.comfy.pass_key import identity
from blockdance.blockdance_core.comfy.run import Run
from blockdance.blockdance_core.comfy.step_tracking import traits_of
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.method import Method, with_forecast
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.tests.models.tiny import FLUX, seeded

STEPS = 10
SIGMAS = tuple(1 - step / STEPS for step in range(STEPS + 1))


def skip(*_):
    """Stands for a patch that another node has put on the model."""


def window(*frames: int):
    return comfy.context_windows.IndexListContextWindow(list(frames), dim=2, total_frames=8)


BASE = {"uuids": ["a"], "cond_or_uncond": [0]}
PAIRS = {
    "condition": (BASE, BASE | {"uuids": ["b"]}),
    "same uuid, cond and uncond": (BASE, BASE | {"cond_or_uncond": [1]}),
    "composition": (BASE, {"uuids": ["a", "b"], "cond_or_uncond": [0, 1]}),
    "context window": (BASE | {"context_window": window(0, 1)}, BASE | {"context_window": window(1, 2)}),
    "block replacements": (BASE, BASE | {"patches_replace": {"dit": {("double_block", 1): skip}}}),
    "patches": (BASE, BASE | {"patches": {"attn1_patch": [skip]}}),
}


@pytest.mark.parametrize("other", [FLUX.noise(2), FLUX.noise().half(), FLUX.noise().to("meta"), "another model"],
                         ids=["shape", "dtype", "device", "model"])
def test_what_else_tells_passes_apart(other):
    """Two GPUs, or the two models of a dual guider, are called with the same conditions."""
    first, second = FLUX.build().model, FLUX.build().model
    key = identity(first, FLUX.noise(), BASE, None)
    assert key == identity(first, FLUX.noise(), dict(BASE), None)
    assert key != (identity(second, FLUX.noise(), BASE, None) if isinstance(other, str) else
                   identity(first, other, BASE, None))


class Passes:
    """Passes of a tiny Flux within one run; each name has its own prompt, the latent is the same."""

    def __init__(self, method: Method = BlockDanceMethod()):
        self.model = FLUX.build()
        schedule = Schedule(SIGMAS, lambda percent: 1. - percent, sampler=traits_of(None))
        self.run = Run(method, schedule, TRANSFORMERS, self.model.model.diffusion_model)
        self.model.pre_run()

    def evaluate(self, step: int, *passes: tuple[dict, int], latent: torch.Tensor | None = None) -> list[torch.Tensor]:
        sigma = torch.tensor([SIGMAS[step]])
        return self.run.evaluate(lambda: [self._apply(options, prompt, latent) for options, prompt in passes],
                                 FLUX.noise(), sigma, {})

    def _apply(self, options: dict, prompt: int, latent: torch.Tensor | None) -> torch.Tensor:
        x = FLUX.noise() if latent is None else latent
        inputs = FLUX.inputs(seed=prompt)

        def forward():
            # Outside of what `options` say: only their identity is under test, not the patches' effect
            with torch.no_grad():
                return self.model.model.apply_model(
                    x, torch.tensor([.5]), None, inputs["c_crossattn"], None, {"sigmas": torch.tensor([.5])},
                    y=inputs["y"], guidance=inputs["guidance"])
        return self.run.apply_model(forward, self.model.model, x, options)


@pytest.mark.parametrize("first, second", PAIRS.values(), ids=PAIRS.keys())
def test_passes_that_differ_do_not_share(first, second):
    passes = Passes()
    full = passes.evaluate(3, (first, 100), (second, 200))
    assert not torch.equal(*full)
    turned = passes.evaluate(4, (second, 200), (first, 100))
    assert torch.equal(turned[0], full[1]) and torch.equal(turned[1], full[0])
    assert passes.run.report.evaluations[1].executed < passes.run.report.evaluations[1].total
    assert passes.run.report.misses == 0


def test_repeated_calls_within_an_evaluation_do_not_share():
    passes = Passes()
    full = passes.evaluate(3, (BASE, 100), (BASE, 200))
    again = passes.evaluate(4, (BASE, 100), (BASE, 200))
    assert all(map(torch.equal, full, again)) and passes.run.report.misses == 0


def test_patches_made_anew_for_every_evaluation_are_the_same_patches():
    """Several guidance nodes build their patch function inside the step; identity by object would never reuse."""
    def patched() -> dict:
        def patch(*_):
            return None
        return BASE | {"patches_replace": {"dit": {("double_block", 1): patch}}}
    passes = Passes()
    passes.evaluate(3, (patched(), 100))
    passes.evaluate(4, (patched(), 100))
    assert passes.run.report.misses == 0


@pytest.mark.parametrize("latent", [seeded(1, 16, 20, 16, seed=1), seeded(2, 16, 16, 16, seed=1)],
                         ids=["size", "batch"])
def test_another_shape_is_computed_in_full(latent):
    passes = Passes()
    passes.evaluate(3, (BASE, 100))
    if latent.shape[0] == 1:
        passes.evaluate(4, (BASE, 100), latent=latent)
        assert passes.run.report.misses == 1
    passes.evaluate(6, (BASE, 100))
    assert passes.run.report.evaluations[-1].misses == 0


def test_a_condition_that_appears_late_is_computed_in_full():
    passes = Passes()
    passes.evaluate(3, (BASE, 100))
    late = BASE | {"uuids": ["late"]}
    passes.evaluate(4, (BASE, 100), (late, 200))
    evaluation = passes.run.report.evaluations[-1]
    assert (evaluation.misses, evaluation.passes, evaluation.executed) == (1, 2, 8 + 2)


@pytest.mark.parametrize("forecast", ["off", "linear", "quadratic"])
def test_what_was_stored_before_the_latest_computed_step_is_not_used(forecast):
    """A pass that was not there when everything was computed last finds nothing, however much it has stored before."""
    passes = Passes(with_forecast(DeltaCacheMethod(N=2), forecast))
    always, late = (BASE, 100), (BASE | {"uuids": ["comes and goes"]}, 200)
    for step, present in enumerate([(always, late), (always, late), (always,), (always, late), (always, late)]):
        passes.evaluate(step, *present)
    evaluations = passes.run.report.evaluations
    assert [bool(evaluation.reuse) for evaluation in evaluations] == [False, True, False, True, False]
    assert [evaluation.misses for evaluation in evaluations] == [0, 0, 0, 1, 0]
    assert evaluations[3].passes == 2 and evaluations[3].executed < evaluations[3].total


@pytest.mark.parametrize("N", [2, 3, 4])
@pytest.mark.parametrize("forecast, anchors", [("off", 1), ("linear", 2), ("quadratic", 3)])
def test_passes_that_come_no_more_leave_nothing_behind(forecast, anchors, N):
    """Two new ones in each evaluation: no more is held than two take that are always there."""
    held = {}
    for moving in (False, True):
        passes = Passes(with_forecast(DeltaCacheMethod(N=N), forecast))
        for step in range(STEPS):
            names = [f"{place} {step * moving}" for place in ("left", "right")]
            passes.evaluate(step, *((BASE | {"uuids": [name]}, 100) for name in names))
        held[moving] = max(evaluation.cache_bytes for evaluation in passes.run.report.evaluations)
        one = min(evaluation.cache_bytes for evaluation in passes.run.report.evaluations if evaluation.cache_bytes)
    assert held[True] <= held[False] <= anchors * one
