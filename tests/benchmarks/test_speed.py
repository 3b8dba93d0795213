"""The speed benchmark compares like with like, and reports all that it has measured."""

import json
from dataclasses import replace

import pytest
import torch

from blockdance.blockdance_core.auto import planner
from blockdance.blockdance_core.auto.planner import search
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.lab.benchmarks.speed import document, idle, methods, once, options, overhead, race
from blockdance.lab.benchmarks.speed.models import FULL_SIZE, narrow
from blockdance.lab.benchmarks.speed.race import Realised, Timing


def test_each_run_is_compared_with_the_one_before_it(monkeypatch):
    """The machine gets slower, and another program gets in the way of one step in four; the contestant takes half."""
    times = iter([(10., (4., 9.)), (5., (2., 2.)), (12., (4., 4.)), (6., (5., 2.))])
    monkeypatch.setattr(race, "clocked", lambda run: Timing(*next(times)))
    pairs = list(race.race(lambda on_step: None, [lambda on_step: None], rounds=2))
    assert [(pair.run.wall, pair.reference.wall) for pair in pairs] == [(5, 10), (6, 12)]
    assert race.realised(pairs) == Realised(2., 2.)


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


def test_a_single_step_is_refused(capsys):
    with pytest.raises(SystemExit):
        options.parse(["--steps", "1"])
    assert "use 2 or more" in capsys.readouterr().err


def test_prompts_of_several_lengths_are_passes_of_their_own():
    size = narrow(8)
    size.sample(patched := attach(size.build(), methods.OFF), 1, prompts=3)
    assert last_report(patched).evaluations[0].passes == 3


@pytest.mark.parametrize("name", FULL_SIZE)
def test_blocks_that_only_hand_on_what_they_are_given(name):
    """So the patch still has hidden states of the model's own form to do with."""
    size = replace(FULL_SIZE[name], config=FULL_SIZE[name].config | {
        key: 1 for key in ("depth", "depth_single_blocks", "num_blocks") if key in FULL_SIZE[name].config})
    if name == "SD3":
        size = replace(size, config=size.config | {"depth": 2, "num_blocks": 2})
    if name == "Flux":  # of full width a block takes seconds to fill
        size = replace(size, config=size.config | {"hidden_size": 256, "num_heads": 2})
    overhead.empty(model := replace(size, shared=True).build(torch.bfloat16))
    assert torch.isfinite(size.sample(attach(model, methods.OFF), 2)).all()


def test_a_step_with_reuse_off(monkeypatch):
    """A step takes a second, or more; without blocks 10 ms, and 12 with the patch."""
    times, size = iter([[9., 1., 2., .5], [9., 3., 4., .5]]), narrow(8)
    monkeypatch.setattr(idle, "clocked", lambda run: Timing(1., next(times)))
    models: list = []

    def clocked(run):
        case, model = run.args
        if model not in models:
            models.append(model)
            case.size.sample(model, 2)
        return Timing(1., [case.steps * (.010, .012)[models.index(model)]])
    monkeypatch.setattr(overhead, "clocked", clocked)
    found = idle.compare(size, options.parse(["--steps", "2", "--rounds", "2"]), batch=1)
    assert found.added == pytest.approx(2) and found.step == 1000


def test_overhead_is_beside_blocks_that_do_nothing(monkeypatch):
    """Each arm takes another millisecond an evaluation, in fake time; one that calls the model half as often as the
    unpatched run is to take half of its time."""
    given: list = []

    def clocked(run):
        case, model = run.args
        for block in chain_of(model.model.diffusion_model).blocks:
            assert block.forward(state := torch.ones(1)) is state
        if model not in given:
            given.append(model)
            case.size.sample(model, 8)
        return Timing(1., [case.steps * (1 + given.index(model)) / 1000, 0.])
    for name, value in (("clocked", clocked), ("BLOCKS", 8), ("ROUNDS", 2), (
            "METHODS", {name: methods.METHODS[name] for name in ("reuse off", "Auto 2x")})):
        monkeypatch.setattr(overhead, name, value)
    found = list(overhead.measure())
    assert [round(f.milliseconds, 6) for f in found] == [1, 2.5] and all(round(f.bare, 6) == 1 for f in found)


def test_a_plan_is_measured_by_a_method_that_has_none(monkeypatch):
    """One run is to warm up, and each is as long as the first."""
    searches = []
    monkeypatch.setattr(once, "STEPS", (8,))
    monkeypatch.setattr(once, "BLOCKS", ())
    monkeypatch.setattr(planner, "search", lambda *given, **more: searches.append(more) or search(*given, **more))
    counts = []
    for rounds in (1, 3):
        monkeypatch.setattr(once, "ROUNDS", rounds)
        assert len(list(once.measure())) == 1
        counts.append(len(searches))
        searches.clear()
    assert counts[0] and counts[1] == 2 * counts[0]


def test_the_report_has_all_that_is_on_record(tmp_path):
    about = {"torch": "1", "load": "0.1", "cores": "2"}
    speedup = methods.Speedup("PixArt", 1, "Auto 2x", 2., 1.9, 1.8, 100., 2048)
    cost = overhead.Overhead("steps", "4", "Auto 2x", .25, 1.5)
    for name, found in {"methods-PixArt-cpu": speedup, "overhead": cost, "scaling": cost,
                        "idle-SD3-cpu": idle.Idle("SD3", 1, .25, 500.),
                        "once": once.Once("a plan", 12.34)}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"about": about, "found": [vars(found)]}))
    text = document.write(tmp_path, publish=False).read_text()
    assert "| PixArt | 1 | Auto 2x | 2.000 | 0.950 | 0.900 | 100 | 2 |" in text
    assert "| Auto 2x | 0.25 | 1.50 |" in text and "| steps | 4 | 0.25 | 1.50 |" in text
    assert "| SD3 | 1 | 0.25 | 500 | 0.050 |" in text
    assert "| a plan | 12.3 |" in text
    assert "What the cache takes" not in text
