"""What the timeline on a node rests on: a word at every evaluation, and a plan without a model."""

import pytest

from blockdance.blockdance_core.comfy.attach import attach, preview
from blockdance.blockdance_core.comfy.models.architectures import TRANSFORMERS
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.tests.models.tiny import PIXART, sample


def test_every_evaluation_is_announced_as_it_begins():
    heard = []
    model = attach(PIXART.build(), BlockDanceMethod(N=2), on_evaluation=lambda report: heard.append(
        (len(report.evaluations), report.evaluations[-1].total, sum(e.total > 0 for e in report.evaluations))))
    sample(model, PIXART, steps=8)
    assert heard == [(count, 0, count - 1) for count in range(1, 9)]


@pytest.mark.parametrize("steps", [4, 5, 8, 20, 23, 30, 50, 250])
@pytest.mark.parametrize("method", [
    *(BlockDanceMethod(N, start=start, end=end) for N in (1, 2, 5) for start, end in ((.4, .95), (0, 1), (.17, .33))),
    DeltaCacheMethod(3, start=.2, end=.85), DeltaDiTMethod(b=.37), DeltaDiTMethod(budget=.5)], ids=repr)
def test_equal_steps_without_a_model_give_the_models_plan(method, steps):
    model = PIXART.build()
    transformer = TRANSFORMERS.transformer_of(model.model.diffusion_model)
    assert method.plan(Schedule.even(steps), transformer) == preview(model, method, steps)


def test_what_was_previewed_is_not_planned_again(monkeypatch):
    model, method, asked = PIXART.build(), BlockDanceMethod(2), []
    plan = preview(model, method, 20)
    monkeypatch.setattr(BlockDanceMethod, "plan", lambda *given: asked.append(given) or plan)
    attach(model, method, previewed=plan)
    assert not asked
    attach(model, method)
    assert len(asked) == 1
