"""What can go wrong, each with the exit code of the command line. The message says what to do."""

from typing import ClassVar


class HeadlessError(RuntimeError):
    exit_code: ClassVar[int] = 1


class UsageError(HeadlessError):
    """The workflow file or an option is not usable; nothing was run."""
    exit_code = 2


class Unwritable(HeadlessError):
    """There is no place for the outputs; nothing was run."""


class ServerLost(HeadlessError):
    """No ComfyUI answers, or the connection broke while a prompt ran."""
    exit_code = 3


class PromptError(HeadlessError):
    """A node failed; the message names it, with the reason and the server's traceback."""
    exit_code = 6


class MissingNodes(PromptError):
    """The server does not have a node type of the prompt."""
    exit_code = 4


class Refused(PromptError):
    """The prompt did not pass the server's validation; the message names nodes and inputs."""
    exit_code = 5


class Interrupted(PromptError):
    """Somebody stopped the prompt on the server, or took it out of its queue."""
    exit_code = 130
