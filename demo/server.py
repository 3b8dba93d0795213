"""Start a headless ComfyUI on a loopback port, and stop it whatever happens. Standard library only."""

import ctypes
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from .host import Host

ATTEMPTS = 3  # another program may take the port between our choosing it and the server's binding it
PORT_TAKEN = "is already in use"
LAST_LINES = 25
COLORS = re.compile(r"\x1b\[[0-9;]*m")
# The demo's tensors are too small for a second thread to help, and on a busy machine every operation waits for it
THREADS = {"OMP_NUM_THREADS": "1"}


class ServerError(RuntimeError):
    """ComfyUI did not start or died; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Server:
    url: str
    log: Path
    process: subprocess.Popen

    def last_lines(self, count: int = LAST_LINES) -> str:
        """The end of the log as a terminal would show it, without colours."""
        text = COLORS.sub("", self.log.read_bytes().decode(errors="replace"))
        lines = [line.rstrip().rsplit("\r", 1)[-1] for line in text.rstrip().split("\n")]
        return "\n".join(f"  | {line}" for line in lines[-count:])


@contextmanager
def comfyui_server(
        host: Host, base: Path, log: Path, arguments: tuple[str, ...] = (), timeout: float = 300,
        port: int | None = None) -> Iterator[Server]:
    """A running ComfyUI whose models, custom nodes and outputs are in the folder `base` (see base.py).

    What it prints goes to the file `log`; `arguments` are further ones for main.py; `timeout` is in seconds; `port` is
    a free one where none is given. Raises ServerError when it does not come up.
    """
    if port is not None and not is_free(port):
        raise ServerError(f"port {port} cannot be had: another program listens on it, or it may not be used. Name "
                          "another, or none to have a free one")
    server = _start(host, base, log, arguments, timeout, port)
    try:
        yield server
    finally:
        _stop(server.process)


def _start(host: Host, base: Path, log: Path, arguments: tuple[str, ...], timeout: float, port: int | None) -> Server:
    for attempt in range(1, ATTEMPTS + 1):
        server = _launch(host, base, log, arguments, free_port() if port is None else port)
        try:
            _wait_until_ready(server, timeout)
            return server
        except ServerError as error:
            if port is not None or attempt == ATTEMPTS or PORT_TAKEN not in str(error):
                raise
        except BaseException:
            _stop(server.process)
            raise


def _launch(host: Host, base: Path, log: Path, arguments: tuple[str, ...], port: int) -> Server:
    command = [
        str(host.python), "main.py", "--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(base),
        "--disable-auto-launch", "--disable-api-nodes", "--database-url", "sqlite:///:memory:",
        *([] if has_gpu(host) else ["--cpu"]), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=host.comfyui, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=THREADS | os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
            # Ctrl-C is ours to handle: the server would stop first and hide why a prompt failed
            **({"start_new_session": True, "preexec_fn": _die_with_parent()} if sys.platform == "linux" else {}))
    return Server(f"http://127.0.0.1:{port}", log, process)


def _wait_until_ready(server: Server, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not _answers(server.url):
        if (code := server.process.poll()) is not None:
            raise ServerError(f"ComfyUI ended with exit code {code} before it was ready:\n{server.last_lines()}")
        if time.monotonic() > deadline:
            _stop(server.process)
            raise ServerError(f"ComfyUI did not answer within {timeout:.0f} s:\n{server.last_lines()}")
        time.sleep(.2)


def _answers(url: str) -> bool:
    # Not urllib, which sends even loopback requests through a configured proxy
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/system_stats")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_free(port: int) -> bool:
    """Whether a server can listen on this loopback port."""
    with socket.socket() as probe:
        if os.name == "posix":  # as servers do, which may take a port that one has just left
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@lru_cache
def has_gpu(host: Host) -> bool:
    """Whether the host's torch sees a GPU; without one ComfyUI wants to be told."""
    done = subprocess.run([host.python, "-c", "import torch; print(torch.cuda.is_available())"],
                          capture_output=True, text=True)
    return done.stdout.strip() == "True"


def _die_with_parent() -> Callable[[], None]:
    """Linux: for the child to have the kernel stop it when this process is killed without a chance to tidy up."""
    prctl = ctypes.CDLL(None).prctl  # here: a forked child must not load libraries
    return partial(prctl, 1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG
