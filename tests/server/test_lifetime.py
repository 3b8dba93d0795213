"""A server that does not start, that dies, and that must not outlive us."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from blockdance.demo import host, server, workflow
from blockdance.demo.base import make_base
from lab.headless import client


def start(folder, weights, *arguments):
    return server.comfyui_server(host.current(), make_base(folder, weights), folder / "comfyui.log", arguments)


def test_a_server_that_does_not_start_shows_its_last_words(tmp_path, weights):
    with pytest.raises(server.ServerError, match="exit code 2(.|\n)*--no-such-flag"):
        with start(tmp_path, weights, "--no-such-flag"):
            pass


def test_a_port_that_is_taken_is_given_up_for_another(tmp_path, weights, monkeypatch):
    free = server.free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], free])
        monkeypatch.setattr(server, "free_port", lambda: next(ports))
        with start(tmp_path, weights) as comfyui:
            assert comfyui.url.endswith(f":{free}")


def test_a_server_that_dies_under_a_prompt(tmp_path, weights):
    with start(tmp_path, weights) as comfyui:
        with pytest.raises(client.ServerLost, match=comfyui.url):
            client.submit(comfyui.url, workflow.load(), lambda *_: comfyui.process.kill())


def test_is_stopped_when_the_block_fails(tmp_path, weights):
    with pytest.raises(ZeroDivisionError):
        with start(tmp_path, weights) as comfyui:
            1 / 0
    assert comfyui.process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stops a child whose parent was killed")
def test_does_not_outlive_a_parent_that_is_killed(tmp_path):
    script = ("from pathlib import Path; from demo import base, host, server; import sys, time\n"
              "folder = Path(sys.argv[1])\n"
              "with server.comfyui_server(host.current(), base.make_base(folder), folder / 'comfyui.log') as comfyui:\n"
              "    print(comfyui.process.pid, flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", script, tmp_path], cwd=host.REPOSITORY, stdout=subprocess.PIPE) as us:
        pid = int(us.stdout.readline())
        us.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and running(pid):
        time.sleep(.1)
    if left := running(pid):
        os.kill(pid, signal.SIGKILL)
    assert not left


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
