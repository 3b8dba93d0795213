"""What people read is in whole sentences: one step is a step, and nothing says None."""

import json
import re

import pytest

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.auto.written_plan import WrittenPlanMethod
from blockdance.blockdance_core.engine.blocks import Contract, ContractError, shapes
from blockdance.blockdance_core.engine.report import Evaluation, Report
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.plan import plan_text
from blockdance.blockdance_core.plan.plan import Plan, Transformer
from blockdance.blockdance_core.plan.plan_text import PlanError
from blockdance.blockdance_core.plan.schedule import Schedule

SINGLE = Transformer("Single", (1,))
METHODS = [BlockDanceMethod(), BlockDanceMethod(block_index=5), DeltaCacheMethod(n_cached=1),
            DeltaCacheMethod(first_block=3, n_cached=1), DeltaDiTMethod(budget=.5), DeltaDiTMethod(n_cached=3),
            AutoMethod(2., lambda *_: None, general, lambda *_: ""),
            WrittenPlanMethod(
                plan_text.read(json.dumps({"blockdance_plan": 1, "steps": 1, "forecast": "off", "reuse": []})),
                lambda quantity, _: general(quantity))]
PLURAL_OF_ONE = re.compile(r"\b1 (?!is\b|was\b)\w+s\b")


def told(method, steps: int) -> str:
    try:
        return method.plan(Schedule.even(steps), SINGLE).note
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.name}")
@pytest.mark.parametrize("steps", [1, 2, 3, 8])
def test_one_step_and_one_block_are_not_said_in_the_plural(method, steps):
    words = told(method, steps)
    assert not PLURAL_OF_ONE.search(words) and "1 step are" not in words, words


def test_a_run_of_one_step_reports_in_the_singular():
    evaluations = [Evaluation(0, None, executed=1, total=1, passes=1, misses=misses) for misses in (1, 0)]
    line = Report("a method", SINGLE, Plan.from_reuses([None]), evaluations).line()
    assert " in 1 step " in line and "1 pass had nothing stored" in line


def test_a_report_says_the_same_once():
    report = Report("a method", SINGLE, Plan.from_reuses([None], "everything is computed"))
    report.failures.append("everything is computed")
    assert report.line().count("everything is computed") == 1


def test_the_hidden_state_is_named_by_its_arguments_and_never_by_none():
    contract = Contract((None, "context"), (0, 1))
    with pytest.raises(ContractError) as wrong:
        contract.unpack((3, 4))
    with pytest.raises(ContractError) as missing:
        contract.read((), {"a": 1})
    for message in (str(wrong.value), str(missing.value)):
        assert "argument 0, context" in message and "None" not in message


def test_the_shape_of_a_hidden_state_is_said_without_none():
    assert shapes(((1, 2, 3), None)) == "1 x 2 x 3, nothing" and shapes(None) == "nothing"


def test_a_plan_that_reuses_outputs_is_refused_in_proper_english():
    text = {"blockdance_plan": 1, "steps": 8, "forecast": "off", "reuse": [{"kind": "output", "steps": [2]}]}
    with pytest.raises(PlanError, match="reuse an output go with .*measured"):
        plan_text.read(json.dumps(text))


def test_what_a_first_run_says_at_its_begin_and_at_its_end_is_not_the_same():
    schedule = Schedule.even(30)
    note = AutoMethod(2., lambda *_: None, general, lambda *_: "").plan(schedule, SINGLE).note
    assert "not measured yet" in note and "faster" not in note
