"""What a version consists of: one number, one address, and an archive with what a user needs."""

import re
import subprocess
from fnmatch import fnmatch
from zipfile import ZipFile

import pytest

from blockdance import blockdance_core
from blockdance.tests.documents import PAGES, ROOT, targets, text

PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
MOST = 3_000_000  # bytes of the archive
ADDRESS = re.compile(r"https://(?:raw\.githubusercontent|github)\.com/([\w.-]+/blockdance)\b(?:/blob/main/([^)#\s]+))?")


def project(key: str) -> str:
    return re.search(rf'^{key} = "(.+)"$', PROJECT, re.MULTILINE)[1]


def archived() -> list[str]:
    """The files that .comfyignore leaves in. Its patterns are folders with a slash behind, and files."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is no git repository")
    patterns = [line for line in (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
                if line and not line.startswith("#")]
    return [path for path in listed.stdout.split("\0") if path and not any(
        path.startswith(pattern) if pattern.endswith("/") else fnmatch(path, pattern) for pattern in patterns)]


def test_there_is_one_version():
    assert project("version") == blockdance_core.__version__
    assert re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1] \
        == blockdance_core.__version__


def test_there_is_one_address():
    """The owner fills it in once, in pyproject.toml; wherever else it stands it is the same, and leads to a file."""
    name = project("Repository").removeprefix("https://github.com/")
    for page in (*PAGES, "pyproject.toml"):
        for repository, path in ADDRESS.findall((ROOT / page).read_text(encoding="utf-8")):
            assert repository == name and (not path or (ROOT / path).exists()), f"{page}: {repository} {path}"
    for picture in re.findall(rf"https://raw\.githubusercontent\.com/{name}/main/([^\"]+)", PROJECT):
        assert (ROOT / picture).is_file()


def test_the_archive_is_small_and_has_nothing_but_what_a_user_needs():
    files = archived()
    # as they lie here: zipped they are smaller
    assert sum((ROOT / path).stat().st_size for path in files if (ROOT / path).exists()) < MOST
    assert {path.split("/")[0] for path in files} == {
        "__init__.py", "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "blockdance_core", "docs", "locales",
        "nodes", "web", "workflows"}


def test_every_link_in_the_archive_leads_to_a_file_in_it_or_to_an_address(tmp_path):
    """Of all its pages. What is left out is linked to by the address of the repository."""
    with ZipFile(tmp_path / "node.zip", "w") as archive:
        for path in archived():
            archive.write(ROOT / path, path)
    folder = tmp_path / "blockdance"
    with ZipFile(tmp_path / "node.zip") as archive:
        archive.extractall(folder)
    pages = sorted(folder.rglob("*.md"))
    assert len(pages) > 40
    for page in pages:
        # ComfyUI reads the links of a help page from its folder of help pages, those of translations included
        place = folder / "web" / "docs" if "web" in page.relative_to(folder).parts else page.parent
        for target in targets(re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)):
            path = target.partition("#")[0]
            assert "://" in target or not path or (place / path).exists(), f"{page.relative_to(folder)}: {target}"


def test_the_readme_says_how_to_get_and_how_to_be_rid_of_it():
    shown = text("README.md")
    assert f"git clone --depth 1 {project('Repository')}" in shown and "git pull" in shown
    assert all(word in shown for word in ("ComfyUI-Manager", "Uninstall", "Restart ComfyUI"))
