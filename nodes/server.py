"""What a node tells the page while it works: a line of text, and the events of the timeline on it.

Nodes that do so declare `not_idempotent`, which has ComfyUI cache their outputs by node id. Asking for `unique_id` has
that effect for the old kind of nodes only (comfy_execution/caching.py looks for a string where V3 nodes have a tuple):
a model cached for a node of another workflow would report there.

Programs that use ComfyUI without its web server, or call nodes without its executor, have no page, and nothing is told.
"""

import logging
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps

from comfy_api.latest import io

from ..blockdance_core.engine.report import Report
from ..blockdance_core.plan.plan_text import written

logger = logging.getLogger(__name__)

EVENT = "blockdance.timeline"
TICKET, MOST_PROMPTS = "blockdance_prompt", 1000  # what a prompt is known by, and how many are
PAUSE = .1  # seconds between the events of a run: a page cannot show more, and each costs a fraction of a millisecond


def server() -> object | None:
    """ComfyUI's web server, if this program has one. It is not imported, as others have a `server` of their own."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


def id_of(node: type[io.ComfyNode]) -> str | None:
    """The id by which the page knows a node that is being executed; None where a program calls it by itself."""
    return node.hidden.unique_id if node.hidden else None


def show(text: str, node_id: str | None) -> None:
    """Show one line on a node, in place of the one before. Nothing of it is saved with the workflow."""
    page = server()
    if page is not None and node_id is not None:
        with _at_no_cost():
            page.send_progress_text(text, node_id, page.client_id)


class Timeline:
    """Sends the runs of one node to the page that queued them (web/js/timeline.js), if there is one.

    settings: the values of the node's inputs, by which the page knows whether a run is of its present widgets.
    """

    def __init__(self, node_id: str | None, settings: dict[str, int | float | str]):
        self._node_id = node_id
        self._settings = settings
        self._sent = 0.

    def running(self, report: Report) -> None:
        """An evaluation begins."""
        if len(report.evaluations) == 1 or time.monotonic() - self._sent >= PAUSE:
            self._send(report, "running")

    def finished(self, report: Report) -> None:
        self._send(report, "finished", written=written(report.plan))

    def _send(self, report: Report, phase: str, **more: str) -> None:
        page = server()
        if page is None or self._node_id is None:
            return
        with _at_no_cost():
            if page.client_id is None:
                return
            page.send_sync(EVENT, {
                "workflow": _workflow(), "node": self._node_id, "settings": self._settings, "phase": phase,
                "report": report.as_dict(), "model": asdict(report.transformer), **more}, page.client_id)
        self._sent = time.monotonic()


@contextmanager
def _at_no_cost() -> Iterator[None]:
    """What stands in for the server in other programs may lack anything, and no run is lost for want of a page."""
    try:
        yield
    except Exception:
        logger.warning("the page could not be told", exc_info=True)


class Prompts:
    """The latest prompts that were sent to the server, each with what goes into the pictures that it saves. What the
    host's queue says of a running prompt is a copy, and what is added to that gets lost."""

    def __init__(self):
        self._sent: dict[str, tuple[dict, dict | None]] = {}

    def __call__(self, sent: dict) -> dict:
        """As a handler of prompts, which the host calls with each before it is queued."""
        if isinstance(sent.get("prompt"), dict):
            extra_data, ticket = sent.setdefault("extra_data", {}), uuid.uuid4().hex
            extra_data[TICKET] = ticket
            self._sent[ticket] = sent["prompt"], extra_data.get("extra_pnginfo")
            while len(self._sent) > MOST_PROMPTS:
                del self._sent[next(iter(self._sent))]
        return sent

    def of(self, extra_data: dict) -> tuple[dict | None, dict | None]:
        return self._sent.get(extra_data.get(TICKET), (None, None))


def watch_prompts() -> None:
    """From now on the server's prompts are known when they run."""
    handlers = getattr(server(), "on_prompt_handlers", None)
    if handlers is not None and not any(isinstance(handler, Prompts) for handler in handlers):
        server().add_on_prompt_handler(Prompts())


def executing() -> tuple[dict | None, dict | None]:
    """The prompt that is executed and what goes into the pictures that it saves: both as the host has them. None where
    there is no server, or the prompt did not come through it."""
    for handler in getattr(server(), "on_prompt_handlers", ()):
        if isinstance(handler, Prompts):
            return handler.of(_extra_data())
    return None, None


def _extra_data() -> dict:
    """What was sent with the prompt that is executed, a copy."""
    queue = getattr(server(), "prompt_queue", None)
    running, _ = queue.get_current_queue_volatile() if queue is not None else ((), ())
    return next((extra_data for _, _, _, extra_data, *_ in running), {})


def _workflow() -> str | None:
    """The id of the workflow that runs: the page may show another one by now. None for a prompt without a workflow."""
    return ((_extra_data().get("extra_pnginfo") or {}).get("workflow") or {}).get("id")


HIDDEN = {hidden.name for hidden in io.Hidden}


def callable_by_scripts(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """An `execute` that may be handed the hidden values that its node asks for.

    The executor gives them by itself; scripts hand them over with the inputs, made up, as old nodes took them.
    """
    @wraps(execute)
    def called(cls, *args, **inputs) -> io.NodeOutput:
        return execute(cls, *args, **{name: value for name, value in inputs.items() if name not in HIDDEN})
    return called
