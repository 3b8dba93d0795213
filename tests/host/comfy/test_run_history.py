"""Which runs of a model are kept, and which of them a node is told of."""

from comfy_execution.utils import CurrentNodeContext

from blockdance.blockdance_core.comfy.run_history import History, Place


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
