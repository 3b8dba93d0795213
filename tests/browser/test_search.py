"""What a user finds who double-clicks the canvas and types."""

import pytest
from playwright.sync_api import TimeoutError as NothingCame

SEARCH = "input[role=combobox]"
TRIES = 5
RESULTS = """() => [...document.querySelectorAll('[role=option], [data-testid="result-item"]')]
    .map((entry) => entry.innerText.trim().split('\\n')[0])"""
PAPERS = {"BlockDance Patch", "Delta-Cache Patch", "Delta-DiT Patch", "BlockDance Preset", "Delta-Cache Patch (U-Net)",
          "BlockDance-Ada Patch"}


def found(page, words: str) -> list[str]:
    """What the search shows; a page that has just been loaded may miss a double-click."""
    page.new()
    search = page.page.locator(SEARCH).last
    for _ in range(TRIES):
        page.page.mouse.dblclick(800, 500)
        try:
            search.wait_for(timeout=5000)
        except NothingCame:
            continue
        search.fill(words)
        page.page.wait_for_function(f"() => ({RESULTS})().length", timeout=20_000)
        page.page.wait_for_timeout(500)  # the list follows the typing
        names = page.evaluate(RESULTS)
        page.page.keyboard.press("Escape")
        return names
    raise AssertionError("double-clicks on the canvas open no search")


@pytest.mark.parametrize("words", ["blockdance", "faster", "speed up", "teacache"])
def test_the_search_shows_auto_first(page, words):
    assert found(page, words)[0].startswith("BlockDance Auto")


def test_nodes_of_papers_are_marked_as_such(page):
    nodes = page.evaluate("async () => (await fetch('/api/object_info')).json()")
    marked = {node["display_name"] for node in nodes.values() if node["category"] == "model/patch/blockdance/papers"}
    assert marked == PAPERS
    assert all("for researchers" in node["description"].lower() for node in nodes.values()
               if node["display_name"] in PAPERS)
