"""The outcomes of all templates that were tried, a line of JSON each, in the cache folder."""

import json
from pathlib import Path

from ...demo import host
from .outcome import Outcome


class Record:
    """By package version and name; the last line of each counts."""

    def __init__(self, comfyui: str, place: Path | None = None):
        self._path = (place or host.managed_places() / "templates") / f"tried-with-comfyui-{comfyui}.jsonl"
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else ()
        self._found: dict[tuple[str, str], Outcome] = {}
        for line in lines:
            self._keep(Outcome.of(json.loads(line)))

    def find(self, version: str, name: str) -> Outcome | None:
        return self._found.get((version, name))

    def all(self, version: str) -> list[Outcome]:
        return [outcome for (known, _), outcome in self._found.items() if known == version]

    def add(self, outcome: Outcome) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(outcome.to_dict()) + "\n")
        self._keep(outcome)

    def _keep(self, outcome: Outcome) -> None:
        self._found[outcome.version, outcome.name] = outcome
