"""Files of captions: one a line (.txt), a column (.csv), or objects (.jsonl)."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

COLUMN = "caption"
NAMES = COLUMN, "prompt", "text"
LARGEST = 256 * 2 ** 20  # bytes of a file
MOST_SEED = 2 ** 64 - 1


class CaptionsError(ValueError):
    """A file of captions cannot be used; the message says in which line and why."""


@dataclass(frozen=True)
class Caption:
    """seed: of its noise; None leaves it to the training."""
    text: str
    seed: int | None = None


def read(path: Path) -> list[Caption]:
    """The captions of a file. Empty lines, and in .txt lines that begin with #, are passed over.

    .csv needs a header with a column caption, prompt or text, and may have one named seed; .jsonl has a string, or an
    object with such keys, in each line. Raises CaptionsError.
    """
    readers = {".txt": _txt, ".csv": _csv, ".jsonl": _jsonl}
    if path.suffix.lower() not in readers:
        raise CaptionsError(f"{path.name} is no file of captions; use {', '.join(readers)}")
    try:
        if path.stat().st_size > LARGEST:
            raise CaptionsError(f"{path.name} has more than {LARGEST >> 20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[:error.start].count(b"\n") + 1
        raise CaptionsError(f"{path.name}, line {line}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise CaptionsError(f"{path.name} cannot be read: {error}") from None
    captions = readers[path.suffix.lower()](text, path.name)
    if not captions:
        raise CaptionsError(f"{path.name} has no captions")
    return captions


def _txt(text: str, name: str) -> list[Caption]:
    lines = (line.strip() for line in text.splitlines())
    return [Caption(line) for line in lines if line and not line.startswith("#")]


def _csv(text: str, name: str) -> list[Caption]:
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    found = []
    try:
        column = next((column for column in NAMES if column in (reader.fieldnames or ())), None)
        if column is None:
            raise CaptionsError(f"{name}, line 1: no column {', '.join(NAMES)} among "
                                f"{', '.join(reader.fieldnames or ())}")
        for row in reader:
            if None in row:
                raise CaptionsError(f"{name}, line {reader.line_num}: more fields than the header has; put "
                                    "captions with commas into quotation marks")
            found.append(_caption(row[column], row.get("seed") or None, f"{name}, line {reader.line_num}"))
    except csv.Error as error:
        raise CaptionsError(f"{name}, line {reader.line_num} or after: {error}") from None
    return found


def _jsonl(text: str, name: str) -> list[Caption]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CaptionsError(f"{place}: no JSON ({error})") from None
        if isinstance(value, str):
            value = {COLUMN: value}
        column = next((column for column in NAMES if isinstance(value, dict) and column in value), None)
        if column is None:
            raise CaptionsError(f"{place}: neither a string nor an object with {', '.join(NAMES)}")
        found.append(_caption(value[column], value.get("seed"), place))
    return found


def _caption(text: object, seed: object, place: str) -> Caption:
    if not isinstance(text, str) or not text.strip():
        raise CaptionsError(f"{place}: the caption is {text!r}; write some words")
    try:
        number = None if seed is None else int(str(seed))
    except ValueError:
        number = -1
    if number is not None and not 0 <= number <= MOST_SEED:
        raise CaptionsError(f"{place}: the seed is {str(seed)[:30]!r}; use a whole number from 0 to {MOST_SEED}")
    return Caption(text.strip(), number)
