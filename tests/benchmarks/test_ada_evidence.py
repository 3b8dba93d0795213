"""From measurements of policies to their tables and picture."""

import numpy as np
import pytest

from blockdance.lab.benchmarks.arm import Arm
from blockdance.lab.training import evidence_report
from blockdance.lab.training.evidence_report import Row, adaptivity, found, quality

N2, N3, ADA = Arm("BlockDance", "N=2"), Arm("BlockDance", "N=3"), Arm("Ada mine")
ARMS = N2, N3, ADA


def row(arm: Arm, caption: int, psnr: float, blocks: float = .7) -> Row:
    objects = caption % 4 + 1
    return Row(arm.name, 30, caption, objects, 9, blocks, blocks, psnr, .99, objects)


ROWS = [row(arm, caption, psnr + caption, blocks) for arm, psnr in ((N2, 50.), (N3, 40.)) for caption in range(8)
        for blocks in [.7]] + [row(ADA, caption, 45. + caption, .6 + .05 * (caption % 4)) for caption in range(4)]


def line(table: str, arm: Arm) -> list[str]:
    return next(cells for cells in ([cell.strip() for cell in text.split("|")][1:-1] for text in table.splitlines())
                if cells[0] == arm.name)


def test_differences_are_those_of_the_same_captions():
    cells = line(quality(found(ROWS, 30, ARMS)), ADA)
    assert cells[1] == "4" and cells[3].startswith("32.5%") and cells[7:9] == ["-5.0", "+5.0"]
    assert line(quality(found(ROWS, 30, ARMS)), N2)[7] == ""


def test_saving_is_told_by_objects_and_correlated_with_them():
    table = adaptivity(found(ROWS, 30, ARMS))
    assert line(table, ADA)[1:6] == ["40.0%", "35.0%", "30.0%", "25.0%", "-1.00 (-1.00 to -1.00)"]
    assert line(table, N2)[5] == ""


def test_one_picture_that_is_treated_otherwise_does_not_make_a_policy_adaptive():
    one = [row(ADA, caption, 45., .6 if caption == 0 else .7) for caption in range(8)]
    _, interval = line(adaptivity(found([*ROWS[:16], *one], 30, ARMS)), ADA)[5].split(" ", 1)
    assert interval.endswith("to +0.00)")


def test_an_error_of_40_db_is_one_percent():
    assert row(ADA, 0, 40.).error == pytest.approx(1.) and row(ADA, 0, float("inf")).error == 0


def test_the_report_has_a_line_and_a_point_for_each_arm_that_was_measured(tmp_path):
    evidence_report.write(tmp_path, ROWS, [*ARMS, Arm("Auto", "2x")], {})
    text = (tmp_path / "ada-evidence.md").read_text()
    assert text.count(f"| {ADA.name} |") == 2 and "Auto" not in text
    assert (tmp_path / "ada-evidence.png").read_bytes().startswith(b"\x89PNG")
    colors = {tuple(color) for color in np.asarray(evidence_report.picture(
        found(ROWS, 30, ARMS), ARMS)).reshape(-1, 3)}
    assert len(colors) > 5
