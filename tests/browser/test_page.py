"""The pack in ComfyUI's page: the timeline on its nodes before, during and after a run, and its help."""

import re

import pytest

from blockdance.tests.browser.comfy_page import PATCH, TIMELINE, ComfyPage
from blockdance.tests.browser.conftest import REPOSITORY, UNKNOWN

HELP = REPOSITORY / "web" / "docs"
PANEL = ".node-help-content"
NODES = sorted(page.stem for page in HELP.glob("*.md"))

RENDERERS = ["classic", "nodes2"]
SAMPLER = '() => app.graph.nodes.find((node) => node.type === "KSampler")'
LOADER = '() => app.graph.nodes.find((node) => node.type === "ShapesWorldModelLoader")'
HALF = list(range(12, 29, 2))  # of 30 steps reuse with BlockDance Patch as it comes


@pytest.fixture(params=RENDERERS)
def renderer(request, page) -> str:
    page.use(request.param)
    return request.param


def test_a_node_is_found_by_search_and_shows_its_plan(page, renderer):
    page.new()
    page.evaluate("() => app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    page.page.wait_for_timeout(500)  # the search box takes the keyboard
    page.page.keyboard.type("deepcache")
    page.page.get_by_test_id("result-item").filter(has_text="Delta-Cache Patch (U-Net)").click()
    page.page.wait_for_timeout(300)  # the node hangs on the mouse now
    page.page.mouse.click(640, 300)
    page.expect("planned", "for SD1.5 as an example")
    assert page.reused() == list(range(1, 20, 2))


def test_the_plan_follows_the_widgets_and_the_samplers_steps(page, renderer):
    page.load()
    assert "9 of 30 evaluations reuse blocks" in page.expect("planned", "about 78% of the time")
    assert page.reused() == HALF
    page.picture(f"{renderer}-planned")
    page.set_widget("N", 3)
    page.expect("planned", "about 70% of the time")
    page.set_widget("steps", 10, SAMPLER)
    page.expect("planned", "\n9\n")
    page.set_widget("block_index", 50)
    page.expect("error", "use 0 to 27, or -1")
    page.set_widget("block_index", -1)
    page.set_widget("N", 1)
    page.expect("planned", "N is 1, so reuse is off")
    assert page.reused() == []


def test_auto_shows_its_plan_then_measures_then_is_faster(page, comfyui, renderer):
    for profile in (comfyui.log.parent / "models" / "blockdance").glob("*"):
        profile.unlink()
    page.load("BlockDanceAuto", speedup=2., profile="auto", least_quality=0.)
    text = page.expect("planned", "15 of 30 evaluations, about half the time")
    assert "forecast" in text and "by what other models reach" in text
    assert len(page.reused()) == 15
    page.set_widget("speedup", 3.)
    page.expect("planned", "about a third of the time")
    assert len(page.reused()) == 20
    page.set_widget("speedup", 1.)
    page.expect("planned", "speed-up is 1, so everything is computed")
    assert page.reused() == []
    page.set_widget("speedup", 2.)
    page.set_widget("weights", UNKNOWN, LOADER)
    page.run()
    assert "the next run will be faster" in page.expect("finished", "Full run: ").lower()
    page.picture(f"{renderer}-auto-measuring")
    page.run()
    text = page.expect("finished", "Expected: ")
    assert re.search(r"Expected: [a-z ]+ \(\d+ dB\)", text)
    assert len(page.reused()) == 15
    titles = page.page.locator(f"{TIMELINE} g title").all_text_contents()
    assert sum("forecast from earlier steps" in title for title in titles) == 15
    page.picture(f"{renderer}-auto")


def test_a_run_is_shown_while_it_samples_and_when_it_is_done(page, renderer):
    page.load()
    page.run()
    page.expect("running", "of 30")
    assert page.page.locator(f"{TIMELINE} g[data-state=current]").count() == 1
    assert page.page.locator(f"{TIMELINE} g").count() == 30
    page.page.wait_for_function(
        f"() => document.querySelectorAll('{TIMELINE} g[data-state=done]').length > 14")
    page.picture(f"{renderer}-running")
    text = page.expect("finished", "9 of 30 evaluations reuse blocks")
    assert "0.1 MiB" in text and page.reused() == HALF
    page.picture(f"{renderer}-finished")
    page.set("Comfy.ColorPalette", "light")
    page.picture(f"{renderer}-finished-light")
    page.set("Comfy.ColorPalette", "dark")


def test_a_run_leaves_nothing_in_the_workflow_and_no_second_line_on_the_node(page):
    page.load()
    page.set_widget("steps", 8, SAMPLER)
    page.run()
    page.expect("finished")
    page.wait_until_idle()
    assert page.evaluate(f"() => ({PATCH})().widgets.map((widget) => widget.name)") == [
        "N", "block_index", "start", "end", "forecast", "storage", "offload", "enabled", "blockdance_timeline"]
    saved = page.evaluate(f"() => ({PATCH})().serialize()")
    assert saved["widgets_values"] == [2, -1, .4, .95, "off", "model", "auto", True]
    assert "timeline" not in str(saved)
    assert set(page.prompt()["2"]["inputs"]) == {
        "model", "N", "block_index", "start", "end", "forecast", "storage", "offload", "enabled"}


def test_a_finished_run_survives_a_reload_and_other_workflows(page):
    page.load()
    page.run()
    text = page.expect("finished")
    page.page.reload(wait_until="domcontentloaded")
    page.wait_until_ready()
    assert page.expect("finished") == text
    page.load()  # another workflow, whose node has the same id
    page.expect("planned")
    page.previous_workflow()
    assert page.expect("finished") == text
    page.set_widget("N", 4)
    page.expect("planned", "about two thirds of the time")
    page.set_widget("N", 2)
    assert page.expect("finished") == text


def test_a_run_in_the_background_does_not_reach_another_workflow_or_tab(page, chromium, comfyui):
    page.load()
    with chromium.new_context() as context:
        other = ComfyPage(context.new_page(), comfyui.url)
        other.load()
        other.expect("planned")
        page.run()
        page.expect("running")
        page.load()
        page.expect("planned")
        page.wait_until_idle()
        assert page.expect("planned") and other.expect("planned")
        page.previous_workflow()
        page.expect("finished")


def test_a_node_in_a_subgraph(page):
    page.load()
    page.set_widget("steps", 12, SAMPLER)
    page.evaluate(f"() => app.canvas.setGraph(app.graph.convertToSubgraph(new Set([({PATCH})()])).subgraph)")
    page.run()
    page.expect("running")
    page.expect("finished", "evaluations reuse blocks")


def test_an_interrupted_run_says_so(page):
    page.load()
    page.set_widget("steps", 200, SAMPLER)
    page.run()
    page.expect("running")
    page.evaluate("() => app.extensionManager.command.execute('Comfy.Interrupt')")
    page.expect("stopped", "Stopped in evaluation")


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_every_node_has_its_help_panel_in_the_users_language(page, locale):
    page.set("Comfy.Locale", locale)
    page.page.reload(wait_until="domcontentloaded")
    page.wait_until_ready()
    try:
        for node in NODES:
            page.new()
            page.select_new(node)
            page.page.get_by_test_id("info-button").click()
            file = HELP / f"{node}.md" if locale == "en" else HELP / node / "zh.md"
            heading, *_, end = file.read_text(encoding="utf-8").splitlines()
            page.page.wait_for_function(
                f"(words) => document.querySelector('{PANEL}')?.innerText.includes(words)", arg=last_words(end))
            assert locale == "en" or page.evaluate("() => app.graph.nodes[0].title") == heading.removeprefix("# ")
            page.page.wait_for_function(f"() => [...document.querySelectorAll('{PANEL} img')].every("
                                        "(picture) => picture.complete && picture.naturalWidth > 0)")
            if node == "BlockDancePatch":
                page.expect("planned")
                page.picture(f"help-{locale}")
    finally:
        page.set("Comfy.Locale", "en")


def last_words(markdown: str) -> str:
    """An end without markup, as the page shows it."""
    return re.split(r"[*`\[_|]", markdown.removeprefix("- ").rstrip("| "))[-1].strip()
