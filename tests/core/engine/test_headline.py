"""The sentence on the node: what a run comes to, for people who know nothing of blocks."""

import pytest

from blockdance.blockdance_core.engine.report import Evaluation, Report
from blockdance.blockdance_core.plan.plan import Kind, Plan, Reuse, SkipModel, Span, Transformer

MODEL = Transformer("Flux", (8,))
SKIP, SPAN = SkipModel(8), Reuse(Span(0, 5), Kind.FEATURE)


def run(reuse, computed: int, made: int = 30, each: float = .5, first: float | None = None,
        full_seconds: float | None = None) -> Report:
    """A finished run whose evaluations after `computed` do something else; computed ones take `each` seconds."""
    reuses = [None] * computed + [reuse] * (made - computed)
    left = 0 if isinstance(reuse, SkipModel) else 2
    evaluations = [Evaluation(step, what, 8 if what is None else left, 8, 1, seconds=each if what is None else 0.)
                   for step, what in enumerate(reuses)]
    evaluations[0].seconds = each if first is None else first
    return Report("Auto", MODEL, Plan.from_reuses(reuses), evaluations,
                  sum(evaluation.seconds for evaluation in evaluations), full_seconds=full_seconds)


@pytest.mark.parametrize("report, sentence", [
    (run(SKIP, 15), "15 of 30 evaluations, about half the time"),
    (run(SKIP, 10), "10 of 30 evaluations, about a third of the time"),
    (run(SKIP, 12), "12 of 30 evaluations, about 40% of the time"),
    (run(SPAN, 20), "10 of 30 evaluations reuse blocks, about three quarters of the time"),
    (run(SKIP, 15, full_seconds=22.8), "3.0x faster: 22.8 s -> 7.5 s"),
    (run(SKIP, 15, each=20, full_seconds=610), "2.0x faster: 610 s -> 300 s"),
    (run(SKIP, 15, full_seconds=7.6), "no faster than in full: 7.6 s -> 7.5 s"),
    (run(SKIP, 15, full_seconds=5), "1.5x slower: 5.0 s -> 7.5 s"),
    (run(None, 30), "full run: 15.0 s"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_run_in_one_sentence(report, sentence):
    assert report.headline == sentence


def test_a_plan_in_the_same_words():
    done = run(SKIP, 15)
    assert Report("Auto", MODEL, done.plan).headline == done.headline
    assert Report("Auto", MODEL, Plan.from_reuses([None] * 8)).headline == "all 8 evaluations in full"


def test_loading_and_compiling_in_the_first_evaluation_is_no_gain():
    slow = run(None, 30, first=10.)
    assert slow.seconds == pytest.approx(24.5) and slow.headline == "full run: 15.0 s"


def test_the_line_for_the_log_has_the_sentence_where_times_are_known():
    assert "3.0x faster" in run(SKIP, 15, full_seconds=22.8).line()
