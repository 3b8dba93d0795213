"""What took long to learn, kept in a folder of measurements, so that a run that goes on does not learn it again."""

import json
import os
import re
from pathlib import Path
from typing import Callable, TypeVar

Thing = TypeVar("Thing")


def kept(folder: Path | None, name: str, make: Callable[[], Thing], dump: Callable[[Thing], object],
         parse: Callable[[object], Thing]) -> Thing:
    """What was made under this name before, else made now and kept; without a folder nothing is. Two processes may make
    it at the same time: each file is whole."""
    if folder is None:
        return make()
    path = folder / "learned" / (re.sub(r"[^\w.,+-]+", "-", name) + ".json")
    if path.exists():
        return parse(json.loads(path.read_text()))
    thing = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(dump(thing)))
    temporary.replace(path)
    return thing
