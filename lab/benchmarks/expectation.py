"""What a method says before a run about how close the result will come, as its report has it for the user."""

import re

from comfy.model_patcher import ModelPatcher

from ...blockdance_core.comfy.attach import last_report

EXPECTED = re.compile(r"(\d+(?:\.\d+)?) dB expected")


def expected(model: ModelPatcher) -> float | None:
    """In dB, of the latest run of this model; None where nothing was said."""
    report = last_report(model)
    found = report and EXPECTED.search(report.plan.note)
    return float(found[1]) if found else None
