"""One ComfyUI for all server tests, with both packs linked in and a demo model of random weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blockdance.demo import host
from blockdance.demo.base import link_folder, make_base
from blockdance.demo.options import Options
from blockdance.demo.server import Server, comfyui_server
from blockdance.tests.models.random_weights import write_random_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    write_random_weights(path)
    return path


@pytest.fixture(scope="session")
def base(tmp_path_factory, weights) -> Path:
    """The server's folder, with the tests' own nodes."""
    base = make_base(tmp_path_factory.mktemp("comfyui"), weights)
    link_folder(Path(__file__).with_name("pack"), base / "custom_nodes" / "blockdance_tests")
    return base


@pytest.fixture(scope="session")
def comfyui(base) -> Iterator[Server]:
    # The classic cache forgets what the last prompt did not use, so that a repeated prompt samples again
    with comfyui_server(host.current(), base, base / "comfyui.log", ("--cache-classic",)) as it:
        yield it


@pytest.fixture
def options(tmp_path, weights) -> Options:
    return Options(world="shapes", captions=1, steps=8, cfg=3., seed=1, out=tmp_path, weights=weights)
