"""Which templates sample with a diffusion model of one's own machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .packages import Package

SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")


@dataclass(frozen=True)
class Template:
    name: str
    title: str
    workflow: dict
    partner: bool  # the index calls it one of the partner nodes' API
    usage: int  # as the index counts it


def templates(package: Package) -> list[Template]:
    """Those with a sampler in them, the most used first."""
    entries = {entry["name"]: entry for group in _read(package.folder / "index.json") for entry in group["templates"]}
    found = []
    for path in sorted(package.folder.glob("*.json")):
        if path.stem.startswith("index") or path.stem not in entries and path.stem != "default":
            continue
        workflow, entry = _read(path), entries.get(path.stem, {})
        if any(node["type"] in SAMPLERS for node in nodes(workflow)):
            found.append(Template(path.stem, entry.get("title", path.stem), workflow, "API" in entry.get("tags", ()),
                                  entry.get("usage", 0)))
    return sorted(found, key=lambda template: -template.usage)


def nodes(workflow: dict) -> Iterator[dict]:
    """Also those in subgraphs."""
    for graph in (workflow, *workflow.get("definitions", {}).get("subgraphs", ())):
        yield from graph.get("nodes", ())


def _read(path: Path) -> dict | list:
    return json.loads(path.read_text(encoding="utf-8"))
