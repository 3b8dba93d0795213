"""The core stands alone: importing any of its modules brings in torch, never the host; and imports go one way."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from blockdance.tests.documents import ROOT

PACKAGES = {"torch", "numpy", "PIL", "safetensors", "kornia", "einops"}  # of ComfyUI's own requirements
HOST = {"aiohttp", "comfy", "comfy_api", "comfy_execution", "comfyui_version", "folder_paths", "nodes"}


def modules(folder: str) -> dict[str, Path]:
    """The files of a folder by the names of their modules; a package has the name of its folder."""
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in sorted((ROOT / folder).rglob("*.py"))}
    return {".".join(names[:-1] if names[-1] == "__init__" else names): path for path, names in parts.items()}


CORE = {name: path for name, path in modules("blockdance_core").items() if name.split(".")[1:2] != ["comfy"]}
BRIDGE = modules("blockdance_core/comfy")
NODES = modules("nodes")


def imported(name: str, path: Path) -> Iterator[str]:
    """What a module imports, wherever in its code: of the pack by the name of the module, from others the package."""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[:len(package) + 1 - node.level], *(node.module or "").split(".")]
            yield from (".".join(filter(None, [*base, alias.name])) for alias in node.names)


def test_the_core_does_not_import_the_host():
    """Each module by itself, so that none rests on what another one has imported before."""
    script = f"""
import importlib, sys
sys.path.insert(0, {str(ROOT)!r})
for name in {[*CORE]!r}:
    for known in [known for known in sys.modules if known.split(".")[0] == "blockdance_core"]:
        del sys.modules[known]
    importlib.import_module(name)
    host = {HOST | {"server"}!r} & {{known.split(".")[0] for known in sys.modules}}
    assert not host, (name, host)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("layer, packages, above", [
    (CORE, PACKAGES, ("blockdance_core.comfy", "nodes", "lab", "demo", "tests")),
    (BRIDGE, PACKAGES | HOST - {"aiohttp", "folder_paths", "nodes"}, ("nodes", "lab", "demo", "tests")),
    (NODES, PACKAGES | HOST, ("lab", "demo", "tests"))], ids=["core", "comfy", "nodes"])
def test_imports_go_one_way(layer, packages, above):
    """Also those that wait within a function. Other packages are ComfyUI's own; its server is imported by nobody, as
    a program may have none."""
    assert layer
    for name, path in layer.items():
        for module in imported(name, path):
            if module.split(".")[0] not in ("blockdance_core", "nodes"):
                assert module in packages | sys.stdlib_module_names, f"{name} imports {module}"
            assert not any(f"{module}.".startswith(f"{place}.") for place in above), f"{name} imports {module}"


def test_imported_names_exist():
    """Of every import within the repository, also those that wait within a function that no test calls."""
    files = {name: path for folder in ("blockdance_core", "nodes", "lab", "demo", "tests")
             for name, path in modules(folder).items()}
    for name, path in files.items():
        for module, imported_name in _within(name, path):
            whole = f"{module}.{imported_name}".strip(".")
            if whole in files or any(other.startswith(f"{whole}.") for other in files):
                continue
            assert module in files, f"{name} imports {module}, which there is not"
            assert imported_name in _names(files[module]), f"{name} imports {imported_name}, which {module} has not"


def _within(name: str, path: Path) -> Iterator[tuple[str, str]]:
    """The module and the name of each `from module import name` of this repository."""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".") if node.module else []
            if node.level:
                parts = [*package[:len(package) + 1 - node.level], *parts]
            elif parts[0] == "blockdance":
                parts = parts[1:]
            elif parts[0] not in ("lab", "demo", "blockdance_core"):
                continue
            yield from ((".".join(parts), alias.name) for alias in node.names)


@cache
def _names(path: Path) -> set[str]:
    """What a module defines or imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found
