"""The documentation: links resolve, named tests and commands exist, every node is described, and its Python runs."""

import json
import re

import pytest

from blockdance.tests.documents import CLAIMS, FOR_USERS, PAGES, ROOT, anchors, fenced, links, prose, run, shown, text

TEST = re.compile(r"\b(tests/[\w/]+\.py)(?:::(\w+))?")
CONTRIBUTING = "docs/contributing.md"
NODES = sorted({node for path in (ROOT / "nodes").glob("*.py")
                for node in re.findall(r'node_id="(\w+)"', path.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page):
    for path, anchor in links(page):
        assert path.exists(), f"{page} links to {path}"
        assert not anchor or anchor in anchors(path), f"{page} links to #{anchor}, {path.name} has {anchors(path)}"


@pytest.mark.parametrize("page", PAGES)
def test_named_tests_exist(page):
    for file, test in TEST.findall(text(page)):
        assert (ROOT / file).is_file(), f"{page} names {file}"
        source = (ROOT / file).read_text(encoding="utf-8")
        assert not test or re.search(rf"^def {test}\(", source, re.MULTILINE), f"{page} names {test} in {file}"


@pytest.mark.parametrize("page", FOR_USERS)
def test_pages_for_users_name_no_test(page):
    assert not TEST.findall(shown(page)), f"move them to {CLAIMS}"


def test_claims_are_in_one_place():
    """Tests by name are in the page of claims, and in that for contributors where a new node or model fails."""
    naming = {page for page in PAGES if any(test for _, test in TEST.findall(shown(page)))}
    assert naming == {CLAIMS, CONTRIBUTING}


def test_every_claim_has_its_test():
    lines = [line for line in text(CLAIMS).split("## Releases")[0].splitlines() if line.startswith("| ")]
    rows = [line for line in lines if line != "| claim | test |"]
    assert rows and not [line for line in rows if not any(test for _, test in TEST.findall(line))]


def test_the_summary_for_users_is_that_of_the_benchmark():
    def leads(page: str) -> list[str]:
        return re.findall(r"^\| [\w ]+ \|(?: \+[\d.]+ \|){4}$", text(page), re.MULTILINE)
    told, measured = leads("docs/results.md"), leads("docs/internals/benchmarks.md")
    assert len(told) >= 5 and set(told) <= set(measured)


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page):
    for module in re.findall(r"python3? -m ([\w.]+)", text(page)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), f"{page}: -m {module}"


def test_the_readme_begins_with_the_two_commands():
    assert fenced("README.md", "")[:2] == ["python3 -m demo\n", "python3 -m tests\n"]


@pytest.mark.parametrize("node", NODES)
def test_every_node_has_a_help_page_and_an_entry(node):
    assert f"](../web/docs/{node}.md) | `{node}` |" in text("docs/nodes.md")
    assert f"](../web/docs/{node}/zh.md)" in text("docs/nodes.md")


@pytest.mark.parametrize("language", ["", "/zh"])
@pytest.mark.parametrize("node", NODES)
def test_every_input_is_on_the_help_page(node, language):
    """Inputs are read from the translation, which is tested to have all that the server has."""
    inputs = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))[node]["inputs"]
    page = prose(f"web/docs/{node}{language}.md")
    assert not [name for name in inputs if f"`{name}`" not in page and name != "model"]


def test_pages_say_what_their_own_software_is():
    """The README's names of nodes are those that ComfyUI shows."""
    shown = {name for path in (ROOT / "nodes").glob("*.py")
             for name in re.findall(r'display_name="([^"]+)",\n\s+category', path.read_text(encoding="utf-8"))}
    titles = {re.match(r"# (.*)", text(f"web/docs/{node}.md"))[1] for node in NODES}
    assert shown == titles
    assert titles == set(re.findall(r"\[([^]]+)\]\(\.\./web/docs/\w+\.md\)", text("docs/nodes.md")))


@pytest.mark.parametrize("page", ["docs/internals/how-it-works.md", CONTRIBUTING])
def test_the_python_that_needs_no_comfyui(page):
    blocks, names = fenced(page, "python"), {"__name__": page}
    assert blocks
    for block in blocks:  # outside of the tests the core is importable by itself
        run(re.sub(r"\bfrom blockdance_core\b", "from blockdance.blockdance_core", block), names)
