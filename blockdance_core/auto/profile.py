"""What was measured of a model, as a file that people can read, keep and share."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..plan.schedule import Origin, Quantity, SamplerTraits
from .kernel import Kernel, written
from .proven_plan import ProvenPlan

FORMAT = "blockdance profile 1"
GENERAL = Path(__file__).parent / "general"  # a profile for each quantity
LARGEST = 16 * 2 ** 20  # bytes of a file
MOST_TIMES = 500
MOST_RUNS, MOST_PARAMETERS = 10 ** 6, 10 ** 15
MOST_SAMPLERS, MOST_STREAMS = 200, 16
TRAITS = "counted", "steady", "whole"
PARSED = 8  # texts whose profiles are kept


class ProfileError(ValueError):
    """A file is no profile, or of another model."""


@dataclass(frozen=True)
class Fingerprint:
    """The class of a model: its name, blocks, size and kind of diffusion.

    Not the weights: fine-tunes and LoRAs of a model may use its profile where they have none of their own.
    """
    name: str
    stacks: tuple[int, ...]
    parameters: int
    flow: bool

    def __str__(self) -> str:
        return (f"{self.name}, {'+'.join(map(str, self.stacks))} blocks, {self.parameters / 1e9:.4g} billion "
                f"parameters, {'flow' if self.flow else 'noise prediction'}")


@dataclass(frozen=True)
class Profile:
    """quantity, kernel: what was measured. runs: how many it is the mean of. settings, versions: how, for people.

    samplers: what was observed of samplers that are not known by name, by their keys. weights: a digest of the measured
    model's; empty in older files, which serve the whole class.
    """
    fingerprint: Fingerprint
    quantity: Quantity
    kernel: Kernel
    runs: int
    settings: dict[str, str | int | float]
    versions: dict[str, str]
    samplers: dict[str, SamplerTraits] = field(default_factory=dict)
    weights: str = ""

    @property
    def steps(self) -> int:
        return len(self.kernel.times)

    def dump(self) -> str:
        head = {"format": FORMAT, "model": asdict(self.fingerprint), "runs": self.runs, "settings": self.settings,
                "versions": self.versions, "quantity": self.quantity.value}
        if self.weights:
            head["weights"] = self.weights
        if self.kernel.end:
            head["end"] = self.kernel.end
        if self.kernel.proven:
            head["proven"] = [plan.computed for plan in self.kernel.proven]
            if any(plan.quality is not None for plan in self.kernel.proven):
                head["shown"] = [{"way": plan.way, "quality": plan.quality, "changes": plan.changes}
                                 for plan in self.kernel.proven]
        if self.kernel.growth is not None:
            head["growth"] = self.kernel.growth
        if self.samplers:
            head["samplers"] = {key: {name: getattr(traits, name) for name in TRAITS}
                                for key, traits in self.samplers.items()}
        lines = [f'"{key}": {json.dumps(value)}' for key, value in head.items()]
        lines += [f'"times": {_row(self.kernel.times)}', f'"gram": {_rows(self.kernel.gram)}']
        if self.kernel.streams:
            lines.append(f'"streams": [{", ".join(_rows(stream.gram) for stream in self.kernel.streams)}]')
        return "{" + ",\n ".join(lines) + "}\n"

    @classmethod
    @lru_cache(maxsize=PARSED)
    def parse(cls, text: str, source: str) -> "Profile":
        """Raises ProfileError, which names the source, for anything but a sound profile. Every run asks for its own,
        and a long one takes longer to check than to read."""
        try:
            if len(text) > LARGEST:
                raise ValueError(f"{len(text)} characters are too many")
            found = json.loads(text)
            if not isinstance(found, dict) or found.get("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}")
            model = found["model"]
            fingerprint = Fingerprint(str(model["name"]), tuple(map(int, model["stacks"])),
                                      _count(model["parameters"], MOST_PARAMETERS), bool(model["flow"]))
            times = np.array(found["times"], float)
            if times.ndim != 1 or len(times) > MOST_TIMES:
                raise ValueError(f"its times are no list of up to {MOST_TIMES} numbers")
            proven = _proven(found.get("proven", ()), found.get("shown", ()))
            growth = None if found.get("growth") is None else float(found["growth"])
            end, streams = float(found.get("end", 0)), found.get("streams", ())
            if len(streams) > MOST_STREAMS:
                raise ValueError(f"{len(streams)} streams are too many")
            kernel = Kernel(times, np.array(found["gram"], float), proven, growth, end, tuple(
                Kernel(times, np.array(gram, float), end=end) for gram in streams), source)
            return cls(fingerprint, Quantity(found["quantity"]), kernel, _count(found["runs"], MOST_RUNS),
                       dict(found["settings"]), dict(found["versions"]), _samplers(found.get("samplers", {})),
                       str(found.get("weights", "")))
        except KeyError as error:
            raise ProfileError(f"{source} is no usable profile: {error} is missing") from None
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ProfileError(f"{source} is no usable profile: {error}") from None

    def check(self, fingerprint: Fingerprint, source: str) -> None:
        """Raises ProfileError where the profile was made of another model."""
        if fingerprint != self.fingerprint:
            raise ProfileError(f"{source} was measured on {self.fingerprint}; this model is {fingerprint}: "
                               "choose 'auto', or another profile")


def _samplers(found: dict[str, dict[str, bool]]) -> dict[str, SamplerTraits]:
    if len(found) > MOST_SAMPLERS:
        raise ValueError(f"{len(found)} samplers are too many")
    return {str(key): SamplerTraits(*(bool(traits[name]) for name in TRAITS), key=str(key), origin=Origin.RUN)
            for key, traits in found.items()}


def _proven(choices: list[list[int]], shown: list[dict]) -> tuple[ProvenPlan, ...]:
    """shown: of each choice; empty in older files."""
    if shown and len(shown) != len(choices):
        raise ValueError(f"what {len(shown)} plans have shown is not of {len(choices)}")
    return tuple(
        ProvenPlan(tuple(map(int, choice)), str(runs.get("way", "")), _quality(runs.get("quality")),
                   tuple(tuple(map(_finite, row)) for row in runs.get("changes", ())))
        for choice, runs in zip(choices, shown or [{}] * len(choices)))


def _quality(number: float | None) -> float | None:
    return None if number is None else _finite(number)


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{number} is no finite number")
    return float(number)


def _row(numbers: np.ndarray) -> str:
    return f"[{', '.join(written(numbers))}]"


def _rows(gram: np.ndarray) -> str:
    rows = ",\n  ".join(map(_row, gram))
    return f"[\n  {rows}]"


def _count(number: int, most: int) -> int:
    if not 1 <= number <= most:
        raise ValueError(f"{str(number)[:20]} is no count of 1 to {most:.0e}")
    return int(number)


def read(path: Path) -> Profile:
    """Raises ProfileError."""
    try:
        if path.stat().st_size > LARGEST:
            raise ProfileError(f"{path} is no usable profile: {path.stat().st_size} bytes are too many")
        return Profile.parse(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError:
        raise ProfileError(f"{path} is no usable profile: it is not text") from None
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error}") from None


def general(quantity: Quantity) -> Kernel:
    """For a model that was not measured: the mean of the demo's models, small ones of several architectures that draw
    pictures, shapes and videos. Outputs change alike enough in other models to plan by it."""
    return replace(read(GENERAL / f"{quantity.value}.json").kernel, source=GENERAL.name)


def general_quality(quantity: Quantity, speedup: float) -> float | None:
    """How close to its full result a model comes that is planned for by the general profile, in dB: what three of four
    pictures reach of models that were left out of it. Between the speed-ups that were tried, and beyond the fastest, on
    a line; what is slower than all of them comes as close as the slowest. None where fewer than two were tried."""
    path = GENERAL / "expected.json"
    if not path.is_file():
        return None
    tried = json.loads(path.read_text(encoding="utf-8")).get(quantity.value, {})
    points = sorted((float(times), float(quality)) for times, quality in tried.items())
    if len(points) < 2:
        return None
    (before, better), (last, worst) = points[-2:]
    beyond = max(0., speedup - last) * (worst - better) / (last - before)
    return float(np.interp(speedup, *zip(*points))) + beyond
