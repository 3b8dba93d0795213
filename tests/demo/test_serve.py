"""`python3 -m demo.serve`, from its start to its end."""

import os
import signal
import subprocess
import sys

import pytest

from blockdance.demo import host


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM cannot be handled on Windows")
def test_when_it_is_stopped_its_folder_is_gone(tmp_path):
    with subprocess.Popen([sys.executable, "-m", "demo.serve"], cwd=host.REPOSITORY, stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"TMPDIR": str(tmp_path)}) as page:
        assert "Open http://127.0.0.1:" in page.stdout.readline()
        made = [*tmp_path.glob("blockdance-*")]
        page.send_signal(signal.SIGTERM)
        assert "ComfyUI is stopped" in page.stdout.read()
    assert made and page.returncode == 0 and not [*tmp_path.glob("blockdance-*")]
