"""Files of one kind, such as profiles, in several folders."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Files:
    """folders: new files go to the first. kind: what people call one; error: raised for a name that none has."""
    folders: tuple[Path, ...]
    suffix: str
    kind: str
    error: type[ValueError]

    def names(self) -> list[str]:
        return sorted({path.name for folder in self.folders for path in folder.glob(f"*{self.suffix}")})

    def find(self, name: str) -> Path:
        """The file of this name, which leads out of no folder."""
        for folder in self.folders:
            path = folder / name
            if path.name == name and path.suffix == self.suffix and path.is_file():
                return path
        raise self.error(f"there is no {self.kind} {name!r}; there are {', '.join(self.names()) or 'none'}. Those of "
                         "the demo's models are in the folder `demo` of the repository")
