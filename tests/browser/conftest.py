"""A real page of a real ComfyUI, in a headless Chromium.

BLOCKDANCE_FRONTEND names another page than ComfyUI's own: the folder `static` of a comfyui-frontend-package.
Browser and server are those of one module: while playwright is on, other tests could not use asyncio.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from blockdance.demo import host
from blockdance.demo.server import Server, comfyui_server
from blockdance.tests.browser.chromium import installed, launch
from blockdance.tests.browser.comfy_page import ComfyPage, make_page_base
from blockdance.tests.models.random_weights import UNKNOWN_DEPTH, write_random_weights

REPOSITORY = Path(__file__).resolve().parents[2]
WEIGHTS = REPOSITORY / "demo" / "weights" / "pixart.safetensors"
UNKNOWN = "unknown.safetensors"  # a model that nobody has measured


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Without one the tests are skipped; on CI it is installed."""
    if (program := installed()) is None and os.environ.get("CI") == "true":
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *arguments], check=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        program = installed()
    if program is None:
        pytest.skip("no Chromium: `apt-get install chromium` as root (elsewhere: install Chromium or Chrome), or name "
                    "its program in BLOCKDANCE_CHROMIUM")
    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def comfyui(chromium, tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("comfyui")
    base = make_page_base(folder, WEIGHTS)
    write_random_weights(base / "models" / "shapes_world" / UNKNOWN, UNKNOWN_DEPTH)
    page = os.environ.get("BLOCKDANCE_FRONTEND")
    arguments = ("--cache-none", *(("--front-end-root", page) if page else ()))
    with comfyui_server(host.current(), base, folder / "comfyui.log", arguments) as server:
        yield server


@pytest.fixture(scope="module")
def tab(chromium, comfyui) -> Iterator[ComfyPage]:
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        yield ComfyPage(context.new_page(), comfyui.url)


@pytest.fixture
def page(tab) -> Iterator[ComfyPage]:
    """A tab with the classic renderer. Afterwards nothing of ours may have complained in its console."""
    tab.use("classic")
    yield tab
    assert not tab.complaints
