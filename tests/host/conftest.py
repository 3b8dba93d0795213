import os

import pytest

if "COMFYUI_PATH" not in os.environ:
    raise pytest.UsageError("tests/host need ComfyUI: run `python3 -m tests`, which prepares it")

from blockdance.blockdance_core.comfy import attach as attach_module  # noqa: E402
from blockdance.tests.models.tiny import MODELS, Tiny  # noqa: E402
from blockdance.tests.trial import watched  # noqa: E402


@pytest.fixture(params=list(MODELS), scope="session")
def tiny(request) -> Tiny:
    return MODELS[request.param]


@pytest.fixture
def model(tiny):
    return tiny.build()


@pytest.fixture
def runs(monkeypatch):
    """Weak references to every run that is made."""
    made = []
    monkeypatch.setattr(attach_module, "Run", watched(made))
    return made
