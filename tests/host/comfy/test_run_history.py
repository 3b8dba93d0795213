"""Which runs of a model are kept, and which of them a node is told of."""

from comfy_execution.utils import CurrentNodeContext

from blockdance.blockdance_core.comfy.run_history import FullRuns, History, Place
from blockdance.blockdance_core.engine.report import Evaluation, Report
from blockdance.blockdance_core.plan.plan import Plan, SkipModel, Transformer


def ran(history: History, result: str | None, prompt: str, node: str, call: int = 0) -> None:
    """A run of a node that the executor has called."""
    with CurrentNodeContext(prompt, node, call):
        history.add(result)


def behind(history: History, prompt: str, call: int = 0, **sources: bool) -> list[str]:
    return history.behind(str, Place(prompt, "report", call), sources)


def test_a_program_without_the_executor_keeps_its_latest_run():
    history = History()
    for run in ("first", "second"):
        history.add(run)
    assert history.latest(str) == "second" and history.latest(int) is None
    history.add(None)
    assert history.latest(str) is None, "of a run that has left nothing, nothing older stands for it"


def test_a_node_that_runs_again_takes_the_place_of_what_it_did():
    history = History()
    ran(history, "old", "1", "S")
    ran(history, "of a loop", "1", "L.0.0.S")
    ran(history, "other", "1", "T")
    ran(history, "new", "2", "S")
    assert behind(history, "2", S=False) == ["new"] and behind(history, "2", T=False) == ["other"]
    assert behind(history, "2", S=False, T=False) == ["new"], "what was sampled in this execution"
    assert behind(history, "1", L=False) == ["of a loop"]
    ran(history, "of one round", "2", "L.0.0.other")
    assert behind(history, "2", L=False) == ["of one round"]


def test_calls_for_a_list_are_told_apart_and_the_last_stands_for_more():
    history = History()
    for call in range(3):
        ran(history, f"run {call}", "1", "S", call)
    assert [behind(history, "1", call, S=False) for call in range(4)] == [["run 0"], ["run 1"], ["run 2"], ["run 2"]]
    assert behind(history, "1", 1, S=True) == ["run 0", "run 1", "run 2"]


def test_of_more_runs_than_are_kept_the_first_are_gone_and_no_other_stands_for_them():
    history = History(most=2)
    for call in range(3):
        ran(history, f"run {call}", "1", "S", call)
    assert behind(history, "1", 0, S=False) == [] and behind(history, "1", 1, S=False) == ["run 1"]


def test_what_stems_from_no_known_run_gets_the_latest():
    history = History()
    ran(history, "run", "1", "S")
    assert behind(history, "1", X=False) == ["run"]


def report(seconds: float, computed: int = 8, shape: tuple[int, ...] = (1, 4, 64, 64), macs: int = 100) -> Report:
    """Of 8 evaluations."""
    reuses = [None] * computed + [SkipModel(4)] * (8 - computed)
    evaluations = [Evaluation(step, reuse, 0 if reuse else 4, 4, 1, macs=0 if reuse else macs, total_macs=macs)
                   for step, reuse in enumerate(reuses)]
    return Report("Auto", Transformer("Flux", (4,)), Plan.from_reuses(reuses), evaluations, seconds, shape=shape)


def test_the_fastest_full_run_of_the_same_size_is_what_others_are_compared_with():
    seen = FullRuns()
    fast = report(5., computed=4)
    seen.see(fast)
    assert seen.seconds(fast) is None, "only full runs count"
    for seconds in (12., 10., 11.):
        seen.see(report(seconds))
    assert seen.seconds(fast) == 10.
    assert seen.seconds(report(5., 4, macs=103)) == 10., "a prompt may be a little longer"
    assert seen.seconds(report(5., 4, macs=200)) is None, "twice the work, as with guidance"
    assert seen.seconds(report(5., 4, shape=(1, 4, 128, 128))) is None
    assert seen.seconds(fast, weights="fp8") is None


def test_full_runs_that_cannot_be_counted_are_told_apart_by_their_blocks():
    seen = FullRuns()
    seen.see(report(10., macs=0))
    assert seen.seconds(report(5., 4, macs=0)) == 10.


def test_only_the_latest_kinds_of_full_runs_are_kept():
    seen = FullRuns(most=2)
    for size in (16, 32, 64):
        seen.see(report(float(size), shape=(1, 4, size, size)))
    assert [seen.seconds(report(1., 4, shape=(1, 4, size, size))) for size in (16, 32, 64)] == [None, 32., 64.]
