"""A comparison spread over several servers, each of which measures a part of the variants."""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeVar

from . import client
from .comparison import Variant
from .errors import HeadlessError, Interrupted
from .graph import Prompt

Found = TypeVar("Found")
LOOK = .2  # seconds after which we look whether somebody has pressed Ctrl-C


def shares(variants: Sequence[Variant], servers: Sequence[str]) -> dict[str, list[Variant]]:
    """What each server measures. Those with one reference stay together as far as can be, and each server makes the
    references of its own: neither times nor pictures of two machines are compared. A server without a part is left out.
    """
    references = {variant.label: variant for variant in variants if variant.label == variant.reference}
    measured = [variant for variant in variants if variant.label not in references]
    parts = [measured[len(measured) * place // len(servers):len(measured) * (place + 1) // len(servers)]
             for place in range(len(servers))]
    return {server: [*{one.reference: references[one.reference] for one in part}.values(), *part]
            for server, part in zip(servers, parts) if part}


@dataclass
class Fleet:
    """Prompts that run on several servers at once, all of which can be stopped."""
    _running: dict[str, tuple[str, str]] = field(default_factory=dict)  # prompt id -> server, prompt id
    _stopped: threading.Event = field(default_factory=threading.Event)

    def submit(self, server: str, prompt: Prompt) -> client.Result:
        """As client.submit. Raises Interrupted once the fleet is stopped."""
        prompt_id = str(uuid.uuid4())
        self._running[prompt_id] = server, prompt_id
        try:
            if self._stopped.is_set():
                raise Interrupted("stopped before it began")
            return client.submit(server, prompt, prompt_id=prompt_id)
        finally:
            del self._running[prompt_id]

    def each(self, work: Callable[[str], Found], servers: Sequence[str]
             ) -> tuple[dict[str, Found], dict[str, Exception]]:
        """Do the work for all servers at once. What it gave for those where it could be done, and what went wrong with
        the others, none of which costs the rest theirs. Ctrl-C stops all."""
        with ThreadPoolExecutor(len(servers)) as pool:
            futures = {server: pool.submit(work, server) for server in servers}
            try:
                while not all(future.done() for future in futures.values()):
                    wait(futures.values(), LOOK)
            except KeyboardInterrupt:
                self._stop(futures.values())
                raise
        errors = {server: error for server, future in futures.items() if (error := future.exception()) is not None}
        for error in errors.values():
            if not isinstance(error, (HeadlessError, OSError)):
                raise error
        return {server: future.result() for server, future in futures.items() if server not in errors}, errors

    def _stop(self, futures: Sequence[Future]) -> None:
        """Until none runs: one that was about to be posted when it was first cancelled is found the next time."""
        self._stopped.set()
        while not all(future.done() for future in futures):
            for server, prompt_id in list(self._running.values()):
                client.cancel(server, prompt_id)
            time.sleep(LOOK)
