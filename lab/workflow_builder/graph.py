"""What a workflow consists of: nodes that refer to each other, in titled groups, in columns from left to right."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

REPOSITORY = Path(__file__).resolve().parents[2]

Value = str | int | float | bool


@dataclass(frozen=True)
class File:
    """A file that a loader needs: where to get it, and the folder of models/ that it belongs into."""
    name: str
    url: str
    directory: str

    @property
    def served_as(self) -> str:
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True, eq=False)
class Node:
    """A node by its type; an input is the value of a widget or an output of another node. Sizes are in pixels."""
    type: str
    inputs: "dict[str, Value | Output]" = field(default_factory=dict)
    title: str = ""
    files: tuple[File, ...] = ()
    size: tuple[int, int] | None = None

    def __getitem__(self, slot: int) -> "Output":
        return Output(self, slot)


@dataclass(frozen=True)
class Output:
    node: Node
    slot: int


@dataclass(frozen=True)
class Group:
    """Nodes one below the other, in a frame if there is a title."""
    title: str
    nodes: tuple[Node, ...]


Columns = tuple[tuple[Group, ...], ...]


@dataclass(frozen=True)
class Workflow:
    """name: of the files, and the title that ComfyUI's page shows; pictured: the number, from 0, of the demo's caption
    that its model draws in full and faster for the thumbnail; folder: where workflows/ and workflows/api/ are.

    With a demonstration, which is the same on the demo's model, the thumbnail shows its nodes after a run instead."""
    name: str
    columns: Columns
    pictured: int = 0
    folder: Path = REPOSITORY
    demonstration: "Demonstration | None" = None

    def ids(self) -> dict[Node, int]:
        """Counted along the columns."""
        nodes = (node for column in self.columns for group in column for node in group.nodes)
        return {node: number for number, node in enumerate(nodes, 1)}

    def description(self) -> dict:
        """For build.js. Raises ValueError for a link from a node that is in no group."""
        ids = self.ids()

        def value(given: Value | Output) -> dict:
            if not isinstance(given, Output):
                return {"value": given}
            if given.node not in ids:
                raise ValueError(f"{self.name}: {given.node.type} is an input of another node, but in no group")
            return {"node": ids[given.node], "slot": given.slot}

        return {
            "id": str(uuid5(NAMESPACE_URL, f"blockdance/{self.name}")),  # the same whenever it is built
            "columns": [[{"title": group.title, "nodes": [
                {"id": ids[node], "type": node.type, "title": node.title, "size": node.size,
                 "files": [vars(file) for file in node.files],
                 "inputs": {name: value(given) for name, given in node.inputs.items()}}
                for node in group.nodes]} for group in column] for column in self.columns]}


@dataclass(frozen=True)
class Demonstration:
    """shown: the nodes on the thumbnail."""
    workflow: Workflow
    shown: tuple[Node, ...]
