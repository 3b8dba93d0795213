"""What a run has to say beside its picture: once in its report, once in the log."""

import logging
import threading

import torch
from comfy.model_management import InterruptProcessingException

from ..engine.report import Report

logger = logging.getLogger(__name__)


class Messages:
    """Safe to use from several passes at once."""

    def __init__(self, report: Report):
        self._report = report
        self._lock = threading.Lock()

    def fail(self, reason: str) -> None:
        """Something is computed that was to be reused, or lost that was to be kept."""
        if self._is_new(self._report.failures, reason):
            logger.warning("%s: %s", self._report.method, reason)

    def survive(self, what: str, memory: bool = True) -> "Survival":
        """Context: whatever goes wrong within is said after `what`, and the run goes on: nothing that observes,
        measures or reports may cost the picture. memory: whether running out of it is among that."""
        return Survival(self, what, memory)

    def lose(self, what: str, error: Exception) -> None:
        """Something went wrong that the run survives."""
        logger.debug("%s: %s", self._report.method, what, exc_info=error)
        self.fail(f"{what}: {words_of(error)}")

    def note(self, what: str) -> None:
        """Something went another way than usual, with the same result."""
        if self._is_new(self._report.notes, what):
            logger.info("%s: %s", self._report.method, what)

    def leave_out(self, what: str) -> None:
        """Something does work that is not counted; the log has no use for it."""
        self._is_new(self._report.uncounted, f"MACs do not include {what}")

    def _is_new(self, said: list[str], what: str) -> bool:
        with self._lock:
            if what in said:
                return False
            said.append(what)
            return True


class Survival:
    """As of Messages.survive. A class, as a generator takes twice as long and every pass goes through several."""

    def __init__(self, messages: Messages, what: str, memory: bool):
        self._messages = messages
        self._what = what
        self._memory = memory

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, _) -> bool:
        # the interruption is the user's wish, and an Exception in older releases
        if not isinstance(error, Exception) or isinstance(error, InterruptProcessingException):
            return False
        if isinstance(error, torch.OutOfMemoryError) and not self._memory:
            return False
        self._messages.lose(self._what, error)
        return True


def words_of(error: Exception) -> str:
    """An error in words; of one that is raised without a sentence, its kind besides."""
    text = str(error)
    return text if isinstance(error, (ValueError, RuntimeError, OSError)) and text else f"{type(error).__name__} {text}"
