"""Plans as text: written, read, refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.auto.weights import KernelExtrapolation
from blockdance.blockdance_core.auto.written_plan import WrittenPlanMethod
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.methods.method import Extrapolated
from blockdance.blockdance_core.plan.plan import Kind, Plan, Reuse, SkipModel, Span, Transformer
from blockdance.blockdance_core.plan.plan_text import PlanError, read, written
from blockdance.blockdance_core.plan.schedule import SamplerTraits, Schedule

MODEL = Transformer("PixArt", (28,))
METHODS = [AutoMethod(2.5, lambda *_: None, general), BlockDanceMethod(N=3), DeltaDiTMethod(),
            Extrapolated(BlockDanceMethod(), "quadratic")]
PLAN = {"blockdance_plan": 1, "steps": 8, "forecast": "measured", "reuse": [{"kind": "output", "steps": [2, 4, 5]}]}


def fixed(text: str) -> WrittenPlanMethod:
    return WrittenPlanMethod(read(text), lambda quantity, steps: general(quantity))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_plan_that_is_written_and_read_is_the_same(method):
    schedule = Schedule.even(30)
    plan = method.plan(schedule, MODEL)
    again = fixed(written(plan)).plan(schedule, MODEL)
    assert again.decisions == plan.decisions
    assert type(again.extrapolation) is type(plan.extrapolation)
    assert written(again) == written(plan)


@given(st.lists(st.sampled_from([None, (0, 27), (3, 9), (0, 20)]), max_size=30), st.sampled_from(["off", "linear"]))
def test_any_plan_of_spans(spans, forecast):
    kind = Kind.DELTA
    reuses = [None, *(span and Reuse(Span(*span), kind) for span in spans)]
    plan = Plan.from_reuses(reuses)
    text = written(plan).replace('"off"', json.dumps(forecast))
    assert read(text).reuses(28) == reuses and read(text).forecast == forecast


def test_what_people_write():
    plan = fixed(json.dumps(PLAN)).plan(Schedule.even(8), MODEL)
    assert plan.reused_steps == (2, 4, 5) and isinstance(plan.extrapolation, KernelExtrapolation)
    assert {plan.decisions[step].reuse for step in (2, 4, 5)} == {SkipModel(28)}
    parts = Schedule.even(8).sigmas, Schedule.even(8).percent_to_sigma
    whole = fixed(json.dumps(PLAN)).plan(Schedule(*parts, sampler=SamplerTraits(whole=False)), MODEL)
    assert whole.decisions[2].reuse.kind is Kind.DELTA


def test_another_number_of_steps_computes_everything_and_says_so():
    plan = fixed(json.dumps(PLAN)).plan(Schedule.even(20), MODEL)
    assert plan.steps == 20 and not plan.reused_steps
    assert plan.note == "the plan is for 8 steps and this run has 20, so everything is computed"


def spans(*parts: dict, forecast: str = "off") -> dict:
    return PLAN | {"forecast": forecast, "reuse": list(parts)}


@pytest.mark.parametrize("found, reason", [
    ("no", "not JSON"), ("[" * 100_000, "not JSON"), ("[]", "blockdance_plan"), (" " * 2 ** 21, "which no plan has"),
    (PLAN | {"blockdance_plan": 2}, "version"), (PLAN | {"stepz": 1}, "unknown: stepz"),
    (PLAN | {"steps": 0}, "use a number from 1"), (PLAN | {"steps": 2 ** 60}, "use a number from 1"),
    (PLAN | {"steps": True}, "use a number from 1"), (PLAN | {"reuse": {}}, "use a list"),
    (PLAN | {"forecast": "off"}, "go with 'measured'"), (PLAN | {"forecast": []}, "go with 'measured'"),
    (spans(7), "needs a \"kind\""), (spans({"kind": []}), "needs a \"kind\""),
    (spans({"kind": "picture", "steps": []}), "output"), (spans({"kind": "delta"}), "use a list of numbers"),
    (spans({"kind": "delta", "steps": [1]}), "use [first, last]"),
    (spans({"kind": "delta", "steps": [1], "blocks": [1, "2"]}), "use [first, last]"),
    (spans({"kind": "delta", "steps": [0], "blocks": [1, 2]}), "step 0 is to be reused; use 1 to 7"),
    (spans({"kind": "delta", "steps": [8], "blocks": [1, 2]}), "step 8 is to be reused"),
    (spans({"kind": "delta", "steps": ["1"], "blocks": [1, 2]}), "step '1'"),
    (spans({"kind": "delta", "steps": [1, 1], "blocks": [1, 2]}), "named twice"),
    (spans({"kind": "feature", "steps": [1], "blocks": [1, 2]}, forecast="measured"), "go with 'off'"),
    (spans({"kind": "output", "steps": [1], "blocks": [0, 2]}, forecast="measured"), "leave \"blocks\" out"),
    (spans({"kind": "delta", "steps": [1], "block": [1, 2]}), "unknown in"),
])
def test_what_is_no_plan_is_refused(found, reason):
    with pytest.raises(PlanError) as refused:
        read(found if isinstance(found, str) else json.dumps(found))
    assert reason in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.parametrize("blocks", [[0, 28], [-1, 3], [9, 3]])
def test_blocks_that_the_model_does_not_have(blocks):
    text = json.dumps(spans({"kind": "delta", "steps": [1], "blocks": blocks}))
    with pytest.raises(PlanError, match="blocks 0 to 27"):
        fixed(text).plan(Schedule.even(20), MODEL)
