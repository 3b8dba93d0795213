"""The search stays within the compute of the paper's settings, and reports captions that it has not seen."""

from dataclasses import replace

import pytest

from blockdance.blockdance_core.plan.plan import Transformer
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.lab.benchmarks import markdown, options, search
from blockdance.lab.benchmarks.arm import method_arm
from blockdance.lab.benchmarks.captions import CALIBRATION, MEASURED
from blockdance.lab.benchmarks.compare import compare
from blockdance.lab.benchmarks.subject import Subject


@pytest.mark.parametrize("depth", [12, 24, 28])
def test_every_candidate_fits_the_model(depth):
    for _, defaults, wide in search.candidates(depth):
        for some in (*defaults.values(), *wide.values()):
            assert some.plan(Schedule.even(30), Transformer("any", (depth,))).reused_steps


def test_the_best_setting_costs_no_more_than_the_default():
    subject = Subject(options.WEIGHTS / "pixart.safetensors")
    (_, defaults, wide), _ = search.candidates(subject.depth)
    chosen = {**defaults, **dict(list(wide.items())[::12])}
    rows = compare(subject, [method_arm("", point, some) for point, some in chosen.items()], captions=1, steps=6,
                   fewer_steps=())
    for default in rows[:len(defaults)]:
        best = next(row for row in rows if row.point == search.best(rows, default))
        assert best.macs <= default.macs + 1e-9
        assert all(row.psnr.mean <= best.psnr.mean for row in rows if row.macs <= default.macs)


def test_the_search_reports_other_captions_than_it_has_searched_on(tmp_path, monkeypatch):
    """Searched on one set, held out another; one setting found for one paper setting."""
    asked = []

    def one(depth):
        name, defaults, wide = next(iter(candidates(depth)))
        yield name, dict(list(defaults.items())[:1]), dict(list(wide.items())[:1])

    class Asked(Subject):
        def scenes(self, count, of=MEASURED):
            asked.append(of)
            return super().scenes(count, of)
    candidates = search.candidates
    monkeypatch.setattr(search, "candidates", one)
    monkeypatch.setattr(search, "Subject", Asked)
    monkeypatch.setattr(search, "CALIBRATION_CAPTIONS", 1)
    monkeypatch.setattr(search, "BASE", replace(search.BASE, steps=6))
    pixart = str(options.WEIGHTS / "pixart.safetensors")
    given = options.parse(["--search", "--captions", "1", "--quick", "--models", pixart])
    report = search.search(replace(given, out=tmp_path))
    _, *asked = asked  # the first is drawn to count the work of a run, before there is anything to search
    assert asked == [CALIBRATION, MEASURED]
    *_, row = report.read_text().splitlines()
    model, captions, method, paper, *measured = row.strip("| ").split(" | ")
    assert (model, captions, method) == ("pixart", "1", "Delta-DiT") and paper.startswith("N=2") and len(measured) == 7
    assert "searched on 1 captions and measured on others" in report.read_text()


def test_publishing_keeps_what_was_found_for_other_models(tmp_path):
    def found(model, psnr):
        return [(model, "16", method, "N=2", "0.6", psnr, "36 / 36", "N=3", "0.5", psnr, "36 / 36")
                for method in ("Delta-DiT", "BlockDance")]
    document = tmp_path / "search.md"
    document.write_text("no table yet")
    for model, psnr in (("pixart", "1.0"), ("flux", "2.0"), ("pixart", "3.0")):
        search.publish(document, found(model, psnr))
    assert markdown.lines(document.read_text()) == [*found("flux", "2.0"), *found("pixart", "3.0")]
