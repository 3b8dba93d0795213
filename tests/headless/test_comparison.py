"""Several ways to make one picture, on a server that is made up here."""

import numpy as np
import pytest

from blockdance.tests.headless.test_results import png
from lab.headless import comparison
from lab.headless.client import File, Result
from lab.headless.comparison import Variant

SAMPLER, SAVE = "6", "8"


def plain(shade: int) -> File:
    return png(np.full((16, 16, 3), shade, np.uint8))


def variant(label: str, reference: str = "full") -> Variant:
    return Variant(label, reference, {SAMPLER: {"class_type": "KSampler", "inputs": {"label": label}}}, (SAMPLER,))


class Server:
    """Whose patched model draws the full picture, slowly, when it is first asked, as Auto does while it measures."""

    def __init__(self):
        self.asked: list[str] = []

    def run(self, _: str, prompt: dict) -> Result:
        label = prompt[SAMPLER]["inputs"]["label"]
        measured = label != "auto" or label in self.asked
        self.asked.append(label)
        quick = label != "full" and measured
        return Result(files={SAVE: [plain(90 if quick else 100)]}, seconds={SAMPLER: 1. if quick else 2.})


def test_what_a_node_does_in_its_first_run_is_not_what_it_is_judged_by():
    server = Server()
    rows, results = comparison.compare([variant("full"), variant("auto"), variant("general")], 2, [SAVE], server.run)
    assert [row.speedup for row in rows] == [1., 2., 2.]
    assert rows[1].psnr == rows[2].psnr < 40 and results[1].files[SAVE] == [plain(90)]
    assert server.asked == ["full", "auto", "general"] * 2 + ["auto", "general", "full"]


def test_each_is_measured_against_its_own_reference():
    def run(_: str, prompt: dict) -> Result:
        seconds, shade = {"full 1": (2., 100), "full 2": (4., 10), "fast 1": (1., 101), "fast 2": (1., 11)}[
            prompt[SAMPLER]["inputs"]["label"]]
        return Result(files={SAVE: [plain(shade)]}, seconds={SAMPLER: seconds})
    variants = [variant(f"{name} {seed}", f"full {seed}") for seed in (1, 2) for name in ("full", "fast")]
    rows, _ = comparison.compare(variants, 1, [SAVE], run)
    assert [row.speedup for row in rows] == [1., 2., 1., 4.]
    assert [row.psnr for row in rows] == [np.inf, rows[3].psnr, np.inf, rows[1].psnr] and rows[1].psnr > 45
    assert [row.reference for row in rows] == ["full 1", "full 1", "full 2", "full 2"]


def test_seconds_and_speedup_are_one_ratio_on_a_machine_that_is_not_steady():
    taken = {"full": [9., 2.8, 3.4, 2.9], "fast": [9., 1.7, 2.4, 2.3]}

    def run(_: str, prompt: dict) -> Result:
        return Result(files={SAVE: [plain(100)]}, seconds={SAMPLER: taken[prompt[SAMPLER]["inputs"]["label"]].pop(0)})
    (full, fast), _ = comparison.compare([variant("full"), variant("fast")], 3, [SAVE], run)
    assert (full.seconds, fast.seconds) == (2.9, 2.3)
    assert fast.speedup == full.seconds / fast.seconds and full.speedup == 1


def test_what_a_comparison_has_drawn_is_kept_when_it_is_interrupted():
    kept: list[str] = []

    def run(label: str, prompt: dict) -> Result:
        if label.startswith("2/"):
            raise KeyboardInterrupt
        return Result(files={SAVE: [plain(100)]}, seconds={SAMPLER: 1.})
    with pytest.raises(KeyboardInterrupt):
        comparison.compare([variant("full"), variant("fast")], 2, [SAVE], run, lambda one, _: kept.append(one.label))
    assert kept == ["full", "fast"]


def test_a_preview_does_not_count_beside_a_saved_picture():
    def run(_: str, prompt: dict) -> Result:
        saved = plain(100 if prompt[SAMPLER]["inputs"]["label"] == "full" else 101)
        return Result(files={"7": [File("preview.png", plain(50).data, saved=False)], SAVE: [saved]},
                      seconds={SAMPLER: 1.})
    (_, fast), _ = comparison.compare([variant("full"), variant("fast")], 1, ["7", SAVE], run)
    assert (fast.pictures, fast.equal) == (1, 0) and np.isfinite(fast.psnr)
    (_, fast), _ = comparison.compare([variant("full"), variant("fast")], 1, ["7"], run)
    assert (fast.pictures, fast.equal) == (1, 1), "previews are better than nothing"
