"""The speed benchmark compares like with like, and reports all that it has measured."""

import json
from dataclasses import replace

import pytest
import torch

from blockdance.benchmarks.speed import document, idle, methods, once, options, overhead, race
from blockdance.benchmarks.speed.models import FULL_SIZE, narrow
from blockdance.benchmarks.speed.race import Seconds
from blockdance.blockdance_core.auto import policy as auto
from blockdance.blockdance_core.auto.planner import search
from blockdance.blockdance_core.host.architectures import chain_of
from blockdance.blockdance_core.host.attach import attach, last_report


def test_each_run_is_compared_with_those_around_it(monkeypatch):
    """While the machine gets slower: the contestant takes half of what the full runs beside it do."""
    times = iter([10, 6, 14, 8, 18])
    monkeypatch.setattr(race, "clocked", lambda run: Seconds(1., next(times)))
    pairs = list(race.race(lambda: None, [lambda: None], rounds=2))
    assert [pair.reference.cpu for pair in pairs] == [12, 16]
    assert race.speedups(pairs) == Seconds(1., 2.)


@pytest.mark.parametrize("name, depth", [("PixArt", 28), ("SD3", 24), ("Flux", 9)])
def test_the_full_sizes(name, depth):
    assert FULL_SIZE[name].config.get("depth", 0) + FULL_SIZE[name].config.get("depth_single_blocks", 0) == depth


def test_shared_weights_are_one_block_s():
    model = replace(narrow(8), shared=True).build()
    blocks = chain_of(model.model.diffusion_model).blocks
    assert len({id(parameter) for block in blocks for parameter in block.parameters()}) == len(
        list(blocks[0].parameters()))
    assert torch.isfinite(narrow(8).sample(model, 2)).all()


def test_the_ideal_is_that_of_what_was_saved():
    given = options.parse(["--steps", "8", "--rounds", "1"])
    size = narrow(8)
    model = size.build()
    found = {speedup.method: speedup for speedup in methods.compare(size, model, given, batch=1)}
    assert found.keys() == methods.METHODS.keys()
    assert found["reuse off"].ideal == 1 and found["reuse off"].bytes == 0
    assert 1.9 < found["Auto 2x"].ideal <= 2
    for speedup in found.values():
        assert speedup.cpu > 0 and speedup.wall > 0 and speedup.milliseconds > 0
    size.sample(patched := attach(model, methods.METHODS["Delta-Cache N=2"]), 8)
    report = last_report(patched)
    assert found["Delta-Cache N=2"].ideal == report.total_macs / report.macs > 1.3


def test_prompts_of_several_lengths_are_passes_of_their_own():
    size = narrow(8)
    size.sample(patched := attach(size.build(), methods.OFF), 1, prompts=3)
    assert last_report(patched).evaluations[0].passes == 3


def test_a_step_with_reuse_off_is_compared_with_the_same_step_without_the_patch(monkeypatch):
    """The patch adds 1 % to later steps and very much to the first; everything gets slower from run to run."""
    size, given, slower = narrow(8), options.parse(["--steps", "4", "--rounds", "4"]), iter(range(100, 200))
    model = size.build()

    def step_times(run):
        patched, load = run(None), next(slower)
        return [load * (9 if patched else 1)] + [load * (1.01 if patched else 1)] * 4
    monkeypatch.setattr(idle, "step_times", step_times)
    monkeypatch.setattr(type(size), "sample", lambda _, arm, *given, **more: arm is not model)
    found = idle.compare(size, model, given, batch=1)
    assert found.steps == 16 and abs(found.more - .01) < 1e-3 and found.low <= found.more <= found.high


def test_overhead_is_beside_blocks_that_do_nothing(monkeypatch):
    """Each arm takes another millisecond an evaluation, in fake time; one that calls the model half as often as the
    unpatched run is to take half of its time."""
    given: list = []

    def run(case, model):
        assert not any(block.forward is not overhead._nothing for block in chain_of(model.model.diffusion_model).blocks)
        if model not in given:
            given.append(model)
            case.size.sample(model, 8)
        return [case.steps * (1 + given.index(model)) / 1000, 0.]
    monkeypatch.setattr(overhead, "_run", run)
    found = list(overhead._compare(overhead.Case("", "", narrow(8)), ("reuse off", "Auto 2x"), rounds=2))
    assert [round(f.milliseconds, 6) for f in found] == [1, 2.5] and all(round(f.bare, 6) == 1 for f in found)


def test_a_plan_is_measured_by_a_policy_that_has_none(monkeypatch):
    searches = []
    monkeypatch.setattr(auto, "search", lambda *given, **more: searches.append(more) or search(*given, **more))
    once._plan(8)
    made = len(searches)
    once._plan(8)
    assert made and len(searches) == 2 * made


def test_the_report_has_all_that_is_on_record(tmp_path):
    about = {"torch": "1", "load": "0.1", "cores": "2"}
    speedup = methods.Speedup("PixArt", 1, "Auto 2x", 2., 1.9, 1.8, 100., 2048)
    cost = overhead.Overhead("steps", "4", "Auto 2x", .25, 1.5)
    for name, found in {"methods-PixArt-cpu": speedup, "overhead": cost, "scaling": cost,
                        "idle-SD3-cpu": idle.Idle("SD3", 1, 90, .0012, -.001, .004),
                        "once": once.Once("a plan", 12.34)}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"about": about, "found": [vars(found)]}))
    text = document.write(tmp_path, publish=False).read_text()
    assert "| PixArt | 1 | Auto 2x | 2.000 | 0.950 | 0.900 | 100 | 2 |" in text
    assert "| Auto 2x | 0.25 | 1.50 |" in text and "| steps | 4 | 0.25 | 1.50 |" in text
    assert "| SD3 | 1 | 90 | +0.12 | -0.10 to +0.40 |" in text
    assert "| a plan | 12.3 |" in text
    assert "What the cache takes" not in text
