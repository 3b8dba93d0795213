import os

import pytest

if "COMFYUI_PATH" not in os.environ:
    raise pytest.UsageError("tests/benchmarks need ComfyUI: run `python3 -m tests`, which prepares it")
