"""The drawn things of picture world: emoji of three sets, fetched with npm and kept in the user's cache.

Nothing of them is stored in this repository, only what a model has learnt of them. Licences, as the packages say:

- noto: Google's Noto Emoji, Apache-2.0, in emoji-datasource-google
- fluent: Microsoft's Fluent Emoji in 3D, MIT, in @lobehub/fluent-emoji-3d
- twemoji: Twitter's Twemoji, CC-BY-4.0, in emoji-datasource-twitter
"""

import io
import json
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 64  # pixels a side, as drawn; renderings are made from it
LEFT_OUT = "Flags", "Component", "Symbols"  # flags and signs look too much alike at this size


class EmojiError(RuntimeError):
    """The emoji could not be had; the message says why and what to do."""


@dataclass(frozen=True)
class Set:
    """A set of drawings: the word for it in captions, its npm package, and where a picture lies in that."""
    name: str
    package: str
    folder: str
    suffix: str


SETS = (Set("noto", "emoji-datasource-google@16.0.0", "package/img/google/64", "png"),
        Set("fluent", "@lobehub/fluent-emoji-3d@1.1.0", "package/assets", "webp"),
        Set("twemoji", "emoji-datasource-twitter@16.0.0", "package/img/twitter/64", "png"))
NAMES = SETS[0].package, "package/emoji.json"


@dataclass(frozen=True)
class Emoji:
    """name and category: words in lower case; drawings: (3 sets, SIZE, SIZE, 4), uint8, not premultiplied."""
    name: str
    category: str
    drawings: np.ndarray


def load(cache: Path) -> tuple[Emoji, ...]:
    """All emoji that every set has, in the order of their names; fetched into `cache` first where they are not there.

    Raises EmojiError.
    """
    file = cache / "emoji.npz"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        _collect(cache, file)
    with np.load(file) as kept:
        names, categories, offsets, data = (kept[key] for key in ("names", "categories", "offsets", "data"))
    found = []
    for index, (name, category) in enumerate(zip(names, categories)):
        pictures = [data[offsets[place]:offsets[place + 1]].tobytes()
                    for place in range(len(SETS) * index, len(SETS) * (index + 1))]
        found.append(Emoji(str(name), str(category), np.stack([_pixels(picture) for picture in pictures])))
    return tuple(found)


def _collect(cache: Path, file: Path) -> None:
    """Write the pictures of all sets, as PNG, and their names into one file."""
    archives = {one.package: _fetch(one.package, cache) for one in SETS}
    with tarfile.open(archives[NAMES[0]]) as tar:
        described = json.load(tar.extractfile(NAMES[1]))
    described = [entry for entry in described
                 if entry["category"] not in LEFT_OUT and "200D" not in entry["unified"]]  # no variants of persons
    by_code: dict[str, list[bytes]] = {entry["unified"].lower(): [] for entry in described}
    for one in SETS:
        with tarfile.open(archives[one.package]) as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                code, _, suffix = name.rpartition(".")
                if folder == one.folder and suffix == one.suffix and code in by_code:
                    by_code[code].append(_png(tar.extractfile(member).read()))
    whole = {}
    for entry in described:
        pictures = by_code[entry["unified"].lower()]
        if len(pictures) == len(SETS):
            whole.setdefault(_words(entry["name"]), (_words(entry["category"]).split()[0], pictures))
    names = sorted(whole)
    data = [picture for name in names for picture in whole[name][1]]
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, names=names, categories=[whole[name][0] for name in names],
             offsets=np.cumsum([0, *map(len, data)]), data=np.frombuffer(b"".join(data), np.uint8))
    partial.replace(file)


def _fetch(package: str, cache: Path) -> Path:
    """The archive of a package, downloaded with npm."""
    known = set(cache.glob("*.tgz"))
    try:
        done = subprocess.run(["npm", "pack", package, "--silent", "--pack-destination", str(cache)],
                              capture_output=True, text=True)
    except OSError as error:
        raise EmojiError(f"npm cannot be started ({error}): install Node.js, which picture world's emoji are fetched "
                         "with") from error
    if done.returncode:
        raise EmojiError(f"npm could not fetch {package}: {(done.stderr.strip() or 'no message').splitlines()[-1]}\n"
                         "Check the network and npm's configuration; the same command tries again.")
    name = done.stdout.strip().splitlines()[-1]
    if not (cache / name).is_file():
        name = next(iter(set(cache.glob("*.tgz")) - known)).name
    return cache / name


def _words(text: str) -> str:
    """Lower case words and single blanks; what is in brackets or after a colon is part of the name."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower().replace("\u2019", "").replace("'", "")))


def _png(encoded: bytes) -> bytes:
    picture = Image.open(io.BytesIO(encoded)).convert("RGBA")
    if picture.size != (SIZE, SIZE):
        picture = _unmultiplied(picture)
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def _unmultiplied(picture: Image.Image) -> Image.Image:
    """At SIZE, made smaller with its colours weighted by their opacity, so that no dark fringe appears."""
    values = np.asarray(picture, np.float32) / 255
    planes = [values[..., channel] * values[..., 3] for channel in range(3)] + [values[..., 3]]
    small = np.stack([np.asarray(Image.fromarray(plane).resize((SIZE, SIZE), Image.Resampling.BOX))
                      for plane in planes], -1)
    small[..., :3] /= np.maximum(small[..., 3:], 1e-4)
    return Image.fromarray((small.clip(0, 1) * 255 + .5).astype(np.uint8), "RGBA")


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
