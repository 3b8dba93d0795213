import os

import pytest

if "COMFYUI_PATH" not in os.environ:
    raise pytest.UsageError("tests/host need ComfyUI: run `python3 -m tests`, which prepares it")

from blockdance.tests.host.tiny import MODELS, Tiny  # noqa: E402


@pytest.fixture(params=list(MODELS), scope="session")
def tiny(request) -> Tiny:
    return MODELS[request.param]


@pytest.fixture
def model(tiny):
    return tiny.build()
