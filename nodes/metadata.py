"""What a run was made with, in the metadata of the pictures that are saved of it.

ComfyUI writes its `extra_pnginfo` into pictures and videos, beside the workflow, under the names that it has there.
"""

import json
from dataclasses import asdict

from ..blockdance_core.auto.weights import KernelExtrapolation
from ..blockdance_core.comfy.run_history import here
from ..blockdance_core.engine.report import Report
from ..blockdance_core.plan.plan_text import written
from . import server as notify

NAME = "blockdance"
MOST_RUNS = 12  # runs of one execution, the latest


def add(report: Report, node_id: str | None, settings: dict[str, int | float | str]) -> None:
    """Add a run to the pictures that the execution which goes on will save."""
    prompt, pnginfo = notify.executing()
    if node_id is None or prompt is None:
        return
    entry = entry_of(report, node_id, settings)
    if isinstance(pnginfo, dict):
        pnginfo[NAME] = [*pnginfo.get(NAME, []), entry][-MOST_RUNS:]
    elif isinstance(node := prompt.get(node_id), dict):  # sent without a workflow: the prompt is in the picture
        meta = node.setdefault("_meta", {})
        meta[NAME] = [*meta.get(NAME, []), entry][-MOST_RUNS:]


def entry_of(report: Report, node_id: str, settings: dict[str, int | float | str]) -> dict:
    """Of one run. node: that of the patch; sampler: of the node that sampled; plan: as BlockDance Plan takes it;
    profile_file: what the profile was read from, as many as are merged for one run have none."""
    place, extrapolation = here(), report.plan.extrapolation
    source = extrapolation.kernel.source if isinstance(extrapolation, KernelExtrapolation) else ""
    return {"node": node_id, "sampler": place and place.node, "method": report.method, "settings": settings,
            "model": asdict(report.transformer), "evaluations": len(report.evaluations), "reused": report.reused,
            "plan": json.loads(written(report.plan)), "profile_file": source or None, **report.provenance}
