"""SIGTERM, handled as Ctrl-C is."""

import signal


class Stopping:
    """From its making on, SIGTERM interrupts as Ctrl-C does. `exit_code` is that of the program which was interrupted.

    asyncio turns an interrupt into a cancelled task. An exception that a handler of our own raised could be lost: in
    the middle of one of its callbacks Python prints it and goes on.
    """

    def __init__(self):
        self.exit_code = 130
        signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, *_) -> None:
        self.exit_code = 143
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background by a shell
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)
