"""Results as files, and comparisons as tables."""

import csv
import json
import math
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from .client import Result
from .errors import Unwritable
from .graph import Prompt, title
from .row import Row

LONGEST = 80  # file systems allow 255 bytes, and a character may take four in a path of some length
UNSAFE = re.compile(r'[<>:"|?*\x00-\x1f]')  # in names on Windows


def check(folder: Path, tables: Iterable[str] = ()) -> None:
    """Raises Unwritable where files in this folder could not be written, or not these anew. Leaves no trace."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for path in (folder / name for name in tables):
            if path.exists():
                path.open("r+b").close()
    except OSError as error:
        raise Unwritable(f"cannot write to {folder}: {error.strerror}; nothing was run. Name another folder with "
                         "--out") from error
    finally:
        for path in made:
            with suppress(OSError):
                path.rmdir()


def save(result: Result, prompt: Prompt, folder: Path) -> list[Path]:
    """Write what the nodes put out: files under the server's names, texts as `<title>.txt`, or .json where they are
    JSON. Nothing is overwritten: a name that is taken gets a number. Returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = [(file.name, file.data) for files in result.files.values() for file in files]
    for node, texts in result.written.items():
        stem = slug(title(prompt, node) if node in prompt else node)
        contents.extend((f"{stem}.{'json' if _is_json(text) else 'txt'}", text.encode()) for text in texts)
    written = []
    for wanted, data in contents:
        path = _free(folder, UNSAFE.sub("_", PurePosixPath(wanted.replace("\\", "/")).name))
        path.write_bytes(data)
        written.append(path)
    return written


def slug(text: str) -> str:
    """The text as a file name of no more than LONGEST characters, which long texts may share."""
    return re.sub(r"[^\w.=+-]+", "_", text)[:LONGEST].strip("_.") or "output"


def new_folder(parent: Path, label: str) -> Path:
    """For what has this label."""
    path, number = parent / slug(label), 1
    while path.exists():  # dots in a label end nothing
        number += 1
        path = parent / f"{slug(label)}_{number}"
    path.mkdir(parents=True)
    return path


def table(rows: list[Row], front: list[bool]) -> str:
    """The rows with aligned columns; a star marks those on the Pareto front. Servers are named where there are several.
    """
    several = _several(rows)
    width = max(len(row.label) for row in rows)
    lines = [f"{'':{width}}  {'sampling':>10} {'speedup':>8} {'PSNR':>9} {'SSIM':>7}"]
    for row, best in zip(rows, front):
        lines.append(f"{row.label:{width}}  {row.seconds:8.2f} s {row.speedup:7.2f}x {decibel(row.psnr):>9} "
                     f"{'' if math.isnan(row.ssim) else f'{row.ssim:.4f}':>7}{' *' if best else ''}"
                     f"{f'  {row.apart}' if row.apart else ''}{f'  {place(row.server)}' if several else ''}")
    return "\n".join(lines)


def _several(rows: Iterable[Row]) -> bool:
    return len({row.server for row in rows}) > 1


def place(server: str) -> str:
    """A server in short."""
    return server.split("://")[-1]


def decibel(psnr: float) -> str:
    return "" if math.isnan(psnr) else "identical" if math.isinf(psnr) else f"{psnr:.1f} dB"


def write_csv(path: Path, rows: list[Row], front: list[bool], settings: list[dict[str, str]]) -> None:
    """A line per row, with its reference and a column for each key of its `settings`. What does not apply or could not
    be compared is empty. The PSNR is of the pictures that are not identical, inf where all are. Servers are named where
    there are several."""
    several = _several(rows)
    keys = list(dict.fromkeys(key for entry in settings for key in entry))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("run", "reference", *keys, "sampling_seconds", "speedup", "psnr_db", "ssim", "pareto",
                         "pictures", "identical", *(["server"] if several else ())))
        for row, best, entry in zip(rows, front, settings):
            quality = ("" if math.isnan(value) else f"{value:.5g}" for value in (row.psnr, row.ssim))
            writer.writerow((row.label, row.reference, *(entry.get(key, "") for key in keys), f"{row.seconds:.4f}",
                             f"{row.speedup:.4f}", *quality, int(best), row.pictures, row.equal,
                             *([row.server] if several else ())))


def draw(path: Path, rows: list[Row], front: list[bool], caption: str) -> None:
    """Quality against time: for each reference, which comes first, a chart of the rows that are measured against it.
    Of several servers the times are those that the first would take, by the speedups.
    """
    from blockdance_core.figures.canvas import THEMES, below  # not at the top: they bring in torch and Pillow
    from blockdance_core.figures.pareto import Point, pareto
    charts: dict[str, list[Point]] = {}
    first: dict[str, Row] = {}
    for row, best in zip(rows, front):
        reference = first.setdefault(row.reference, row)
        if row.label == row.reference and row is not reference:
            continue  # the same on another server
        label = ", ".join(filter(None, (row.label, row.apart)))
        seconds = row.seconds if row.server == reference.server else reference.seconds / row.speedup
        charts.setdefault(row.reference, []).append(Point(label, seconds, row.speedup, row.psnr, best))
    theme = THEMES["light"]
    below([pareto(points, reference, caption, theme) for reference, *points in charts.values()], theme).save(path)


def _free(folder: Path, name: str) -> Path:
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{Path(name).stem}_{number}{Path(name).suffix}"
    return path


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (dict, list))
    except ValueError:
        return False
