"""Some of ComfyUI's own templates with BlockDance in them, as `python3 -m lab.templates` tries all: in the page, by a
server's validation, and on tiny models."""

import re

import pytest

from blockdance.demo import host
from blockdance.demo.base import link_folder
from blockdance.demo.server import comfyui_server
from blockdance.lab.templates import packages
from blockdance.lab.templates.catalogue import Template, templates
from blockdance.lab.templates.outcome import WORKS, Sampling
from blockdance.lab.templates.run import STAND_INS, partners
from blockdance.lab.templates.trial import Server, opened_in, tried
from blockdance.tests.browser.comfy_page import make_page_base
from blockdance.tests.browser.conftest import WEIGHTS

# The model of each sampler
CHOSEN = {
    "flux_dev_full_text_to_image": ("Flux.1 dev",),
    "image_flux2": ("Flux.2 dev",),  # a guider, SamplerCustomAdvanced, all in a subgraph
    "image_z_image_turbo": ("Z-Image-Turbo",),  # distilled
    "video_wan2_2_14B_t2v": ("Wan 2.2 14B", "Wan 2.2 14B"),  # two experts
    "video_ltx2_t2v": ("LTX-2", "LTX-2"),  # with sound, in two stages
    "video_wan2_2_14B_s2v": ("Wan 2.2 S2V",) * 3,  # the model comes into subgraphs from outside
    "image_ideogram4_t2i": ("Ideogram 4",),  # a guider of two models
    "sdxl_simple_example": ("SDXL", "SDXL")}  # no transformer
DISTILLED = ("image_z_image_turbo",)


@pytest.fixture(scope="module")
def known() -> dict[str, Template]:
    try:
        return {template.name: template for template in templates(packages.own())}
    except RuntimeError as problem:
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def comfyui(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comfyui")
    base = make_page_base(folder, WEIGHTS)
    link_folder(STAND_INS, base / "custom_nodes" / STAND_INS.name)
    with comfyui_server(host.current(), base, folder / "comfyui.log", ("--cache-none",)) as server:
        yield server


@pytest.fixture(scope="module")
def server(comfyui) -> Server:
    return Server(comfyui.url, comfyui.log.parent / "models" / "blockdance", partners(host.current().comfyui))


@pytest.mark.parametrize("name", CHOSEN)
def test_an_official_template_takes_auto_and_runs(page, server, known, name):
    if name not in known:
        pytest.skip("this ComfyUI does not bring it")
    found = tried(server, known[name], "", opened_in(page, known[name]))
    assert (found.status, found.reason) == (WORKS, "")
    assert tuple(sampling.model for sampling in found.samplings) == CHOSEN[name]
    assert not any(sampling.why for sampling in found.samplings)
    for sampling in found.samplings:
        computed, total = counted(sampling, sampling.second)
        assert total == counted(sampling, sampling.first)[1] > 1
        if total >= 10:  # noise on weights that mean nothing may leave nothing to forecast, which the node then says
            said = "ancestral" in sampling.sampler and "below the least of" in sampling.second
            assert computed < total or said, "the second run is faster"
        if name in DISTILLED:
            assert computed > total / 2, "few steps are not halved"
    assert ("SDXL" in CHOSEN[name]) != any(sampling.patch for sampling in found.samplings)


def counted(sampling: Sampling, words: str) -> tuple[int, int]:
    computed, total = re.match(r"(\d+) of (\d+) in full", words).groups()
    return int(computed), int(total)
