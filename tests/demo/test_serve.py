"""`python3 -m demo.serve`, from its start to its end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blockdance.demo import host, server


@pytest.fixture
def browser(tmp_path) -> Path:
    """A browser that writes the address that it is to show into a file beside it."""
    program = tmp_path / "browser"
    program.write_text('#!/bin/sh\necho "$1" > "$0.shown"\n')
    program.chmod(0o755)
    return program


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM cannot be handled on Windows")
def test_when_it_is_stopped_its_folder_is_gone(tmp_path):
    with subprocess.Popen([sys.executable, "-m", "demo.serve", "--no-browser"], cwd=host.REPOSITORY,
                          stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}) as page:
        assert "Open http://127.0.0.1:" in page.stdout.readline()
        made = [*tmp_path.glob("blockdance-*")]
        page.send_signal(signal.SIGTERM)
        assert "ComfyUI is stopped" in page.stdout.read()
    assert made and page.returncode == 0 and not [*tmp_path.glob("blockdance-*")]


@pytest.mark.skipif(os.name != "posix", reason="the browser of this test is a shell script")
def test_it_opens_the_browser_at_the_port_that_is_asked_for(tmp_path, browser):
    port = server.free_port()
    with subprocess.Popen([sys.executable, "-m", "demo.serve", "--port", str(port)], cwd=host.REPOSITORY,
                          stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"TMPDIR": str(tmp_path), "BROWSER": str(browser)}) as page:
        try:
            assert f"http://127.0.0.1:{port}" in page.stdout.readline()
            assert browser.with_suffix(".shown").read_text().strip() == f"http://127.0.0.1:{port}"
            taken = subprocess.run([sys.executable, "-m", "demo.serve", "--port", str(port), "--no-browser"],
                                   cwd=host.REPOSITORY, capture_output=True, text=True, timeout=120)
            assert taken.returncode == 1 and f"port {port} cannot be had" in taken.stderr
        finally:
            page.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("port", ["0", "70000", "web"])
def test_what_is_no_port_is_refused(port):
    done = subprocess.run([sys.executable, "-m", "demo.serve", "--port", port], cwd=host.REPOSITORY,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "use 1 to 65535" in done.stderr
