"""The README's chart, from what is published."""

import numpy as np

from blockdance.lab.benchmarks.front_page import pictures


def test_the_chart_is_of_what_is_published():
    found, of = pictures.curves()
    assert "model" in of and "captions" in of
    assert {"Auto", "fewer steps"} <= found.keys() and len(found) > 3  # rivals, too
    for line in found.values():
        assert line == sorted(line) and all(faster >= 1 and decibels > 0 for faster, decibels in line)


def test_the_chart_draws_every_method_that_it_knows():
    line = [(1.5, 40.), (2., 35.), (3., 25.)]
    without = pictures.chart({"fewer steps": line}, "nothing")
    with_ours = pictures.chart({"fewer steps": line, "Auto": [(times, psnr + 3) for times, psnr in line]}, "nothing")
    assert without.size == with_ours.size and np.any(np.array(without) != np.array(with_ours))


def test_what_is_too_fast_for_the_chart_is_left_out():
    line = [(1.5, 40.), (2., 35.)]
    assert pictures.chart({"Auto": line}, "") == pictures.chart({"Auto": [*line, (9., 34.)]}, "")
