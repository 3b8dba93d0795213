"""The pages of the documentation: what they link to, the tests that they name, and the Python that they show.

Blocks marked `python` need torch at most, those marked `py` ComfyUI as well.
"""

import doctest
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path.relative_to(ROOT).as_posix(): path for path in (
    ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "web" / "docs").rglob("*.md")))}
CLAIMS = "docs/internals/claims.md"
ADDRESS = re.search(r'^Repository = "https://(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[1]
RAW = "raw." + ADDRESS.replace("github", "githubusercontent", 1)
OWN = re.compile(rf"https://(?:{ADDRESS}/(?:blob|tree)|{RAW})/main/(.+)")
FOR_USERS = [page for page in PAGES if not page.startswith(("docs/internals/", "docs/contributing.md"))]


def text(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8")


def fenced(page: str, info: str) -> list[str]:
    """The fenced blocks of a page that are marked so; `info` is a regular expression."""
    return re.findall(rf"^```{info}\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)


def shown(page: str) -> str:
    """Without comments, which nobody sees."""
    return re.sub(r"<!--.*?-->", "", text(page), flags=re.DOTALL)


def prose(page: str) -> str:
    return re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)


def links(page: str) -> list[tuple[Path, str]]:
    """The file and the anchor of every link and picture that leads to this repository, by its address or not."""
    # ComfyUI reads the links of a help page from its folder of help pages, those of translations included
    folder = ROOT / "web" / "docs" if page.startswith("web") else PAGES[page].parent
    found = []
    for target in targets(prose(page)):
        path, _, anchor = target.partition("#")
        if own := OWN.fullmatch(path):
            found.append((ROOT / own[1], anchor))
        elif "://" not in target:
            found.append((folder / path if path else PAGES[page], anchor))
    return found


def targets(markdown: str) -> list[str]:
    """What its links and pictures lead to."""
    return re.findall(r"\]\(([^)\s]+)\)", markdown)


def anchors(path: Path) -> set[str]:
    """The anchors that a page's headings get on GitHub."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def run(code: str, names: dict) -> None:
    """Execute one block; where it shows a session, compare what that shows."""
    if ">>>" not in code:
        exec(code, names)  # noqa: S102 (the pages are ours)
        return
    examples = doctest.DocTestParser().get_doctest(code, names, "block", None, 0)
    shown: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(examples, out=shown.append, clear_globs=False)
    names |= examples.globs
    assert not shown, "".join(shown)


def check_table(page: Path, test: str, rows: list[str]) -> None:
    """Compare the rows with those that this test file has written in a page; write them where the variable
    BLOCKDANCE_WRITE_DOCS is set."""
    begin, end = f"<!-- written by {test} -->\n", "<!-- end -->\n"
    text = page.read_text(encoding="utf-8")
    before, written = text.split(begin)
    expected = before + begin + "\n".join(rows) + "\n" + end + written.split(end)[1]
    if "BLOCKDANCE_WRITE_DOCS" in os.environ:
        page.write_text(expected, encoding="utf-8")
    else:
        assert text == expected, f"set BLOCKDANCE_WRITE_DOCS to update {page.name}"
