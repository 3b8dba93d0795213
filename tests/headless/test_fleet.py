"""A sweep spread over servers that are made up here."""

import threading
from collections import Counter

import pytest

from lab.headless import client, fleet
from lab.headless.comparison import Variant
from lab.headless.errors import Interrupted, ServerLost
from lab.headless.outputs import table
from lab.headless.row import Row, front

ONE, TWO, THREE = "http://one:8188", "http://two:8188", "http://three:8188"


def variants(*groups: int) -> list[Variant]:
    """So many of each reference, after it."""
    return [Variant(label, f"full {group}", {}, ()) for group, count in enumerate(groups)
            for label in (f"full {group}", *(f"fast {group}.{number}" for number in range(count)))]


@pytest.mark.parametrize("groups, servers", [((5,), [ONE, TWO]), ((2, 2), [ONE, TWO]), ((3, 1, 4), [ONE, TWO, THREE])])
def test_every_variant_is_measured_once_and_beside_its_reference(groups, servers):
    parts = fleet.shares(variants(*groups), servers)
    labels = Counter(variant.label for part in parts.values() for variant in part if variant.label != variant.reference)
    assert set(labels.values()) == {1} and labels.total() == sum(groups)
    for part in parts.values():
        assert {variant.reference for variant in part} == {
            variant.label for variant in part if variant.label == variant.reference}
    counts = [sum(variant.label != variant.reference for variant in part) for part in parts.values()]
    assert max(counts) - min(counts) <= 1


def test_a_server_without_a_part_runs_nothing():
    assert list(fleet.shares(variants(1), [ONE, TWO])) == [TWO]


def test_a_server_that_is_lost_does_not_cost_the_others_theirs():
    def work(server: str) -> str:
        if server == TWO:
            raise ServerLost("gone")
        return f"done by {server}"
    found, errors = fleet.Fleet().each(work, [ONE, TWO, THREE])
    assert found == {ONE: f"done by {ONE}", THREE: f"done by {THREE}"}
    assert list(errors) == [TWO] and isinstance(errors[TWO], ServerLost)


def test_ctrl_c_stops_the_prompts_of_all_servers(monkeypatch):
    stopped, begun = {ONE: threading.Event(), TWO: threading.Event()}, threading.Barrier(3)

    def submit(server: str, prompt: dict, prompt_id: str) -> client.Result:
        begun.wait(10)
        assert stopped[server].wait(10)
        raise Interrupted("by somebody")

    def wait(*_) -> None:
        begun.wait(10)
        raise KeyboardInterrupt
    monkeypatch.setattr(client, "submit", submit)
    monkeypatch.setattr(client, "cancel", lambda server, prompt_id: stopped[server].set())
    monkeypatch.setattr(fleet, "wait", wait)
    ours = fleet.Fleet()
    with pytest.raises(KeyboardInterrupt):
        ours.each(lambda server: ours.submit(server, {}), [ONE, TWO])
    assert all(event.is_set() for event in stopped.values())
    with pytest.raises(Interrupted):
        ours.submit(ONE, {})


def test_seconds_of_two_machines_are_not_compared():
    slow = Row("a", "full", 10., 2., 40., 1., server=ONE)  # on a machine ten times as slow
    quick = Row("b", "full", 1., 1.5, 39., 1., server=TWO)
    assert front([slow, quick]) == [True, False]
    assert "one:8188" in table([slow, quick], [True, False])
