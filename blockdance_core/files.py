"""Files of one kind, such as profiles, in several folders."""

import hashlib
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

    def state(self, name: str | None = None) -> str:
        """Changes whenever a file is written, comes or goes; a name's, or that of all. Raises as `find` does."""
        every = (folder / each for folder in self.folders for each in self.names())
        paths = every if name is None else [self.find(name)]
        known = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.is_file()]
        return hashlib.sha256(repr(known).encode()).hexdigest()

    def find(self, name: str) -> Path:
        """The file of this name, which leads out of no folder."""
        for folder in self.folders:
            path = folder / name
            if path.name == name and path.suffix == self.suffix and path.is_file():
                return path
        raise self.error(f"there is no {self.kind} {name!r}; there are {', '.join(self.names()) or 'none'}. Those of "
                         "the demo's models are in the folder `demo` of the repository")
