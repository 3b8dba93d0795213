"""What a node tells the page while it works: a line of text, and the events of the timeline on it.

Nodes that do so declare `not_idempotent`, which has ComfyUI cache their outputs by node id. Asking for `unique_id` has
that effect for the old kind of nodes only (comfy_execution/caching.py looks for a string where V3 nodes have a tuple):
a model cached for a node of another workflow would report there.
"""

import time
from dataclasses import asdict

from server import PromptServer

from ..blockdance_core.report import Report

EVENT = "blockdance.timeline"
PAUSE = .1  # seconds between the events of a run: a page cannot show more, and each costs a fraction of a millisecond


def show(text: str, node_id: str) -> None:
    """Show one line on a node, in place of the one before. Nothing of it is saved with the workflow."""
    server = PromptServer.instance
    server.send_progress_text(text, node_id, server.client_id)


class Timeline:
    """Sends the runs of one node to the page that queued them (web/js/timeline.js), if there is one.

    settings: the values of the node's inputs, by which the page knows whether a run is of its present widgets.
    """

    def __init__(self, node_id: str, settings: dict[str, int | float | str]):
        self._node_id = node_id
        self._settings = settings
        self._sent = 0.

    def running(self, report: Report) -> None:
        """An evaluation begins."""
        if len(report.evaluations) == 1 or time.monotonic() - self._sent >= PAUSE:
            self._send(report, "running")

    def finished(self, report: Report) -> None:
        self._send(report, "finished")

    def _send(self, report: Report, phase: str) -> None:
        server = PromptServer.instance
        if server.client_id is None:
            return
        server.send_sync(EVENT, {
            "workflow": _workflow(server), "node": self._node_id, "settings": self._settings, "phase": phase,
            "report": report.as_dict(), "model": asdict(report.transformer)}, server.client_id)
        self._sent = time.monotonic()


def _workflow(server: PromptServer) -> str | None:
    """The id of the workflow that runs: the page may show another one by now. None for a prompt without a workflow."""
    running, _ = server.prompt_queue.get_current_queue_volatile()
    for _, _, _, extra_data, *_ in running:
        return ((extra_data.get("extra_pnginfo") or {}).get("workflow") or {}).get("id")
    return None
