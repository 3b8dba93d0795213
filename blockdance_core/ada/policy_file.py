"""Trained policies as files: safetensors, with what they are for in the metadata."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..auto.profile import Fingerprint
from ..files import replacing
from .method import AdaMethod
from .network import DecisionNetwork, Sizes

FORMAT = "blockdance ada policy 1"
SUFFIX = ".safetensors"
LARGEST = 4 * 2 ** 30  # bytes of a file


class PolicyError(ValueError):
    """A file is no policy, or of another model."""


@dataclass(frozen=True)
class Card:
    """What a policy was trained on. steps: of its runs; training: settings and outcome, for people; versions: of the
    host."""
    fingerprint: Fingerprint
    sizes: Sizes
    borders: tuple[int, ...]
    rho: float
    steps: int
    training: dict[str, str | int | float]
    versions: dict[str, str]

    def metadata(self) -> dict[str, str]:
        """safetensors keeps strings only."""
        parts = {"model": asdict(self.fingerprint), "sizes": asdict(self.sizes), "borders": self.borders,
                 "rho": self.rho, "steps": self.steps, "training": self.training, "versions": self.versions}
        return {"format": FORMAT, **{name: json.dumps(value) for name, value in parts.items()}}

    @classmethod
    def parse(cls, metadata: dict[str, str]) -> "Card":
        """Raises KeyError, TypeError and ValueError for what is none."""
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        found = {name: json.loads(metadata[name])
                 for name in ("model", "sizes", "borders", "rho", "steps", "training", "versions")}
        model = found["model"]
        fingerprint = Fingerprint(str(model["name"]), tuple(map(int, model["stacks"])), int(model["parameters"]),
                                  bool(model["flow"]))
        return cls(fingerprint, Sizes(**found["sizes"]), tuple(map(int, found["borders"])), float(found["rho"]),
                   int(found["steps"]), dict(found["training"]), dict(found["versions"]))

    def check(self, fingerprint: Fingerprint, source: str) -> None:
        """Raises PolicyError where the policy was trained on another model."""
        if fingerprint != self.fingerprint:
            raise PolicyError(f"{source} was trained on {self.fingerprint}; this model is {fingerprint}: choose a "
                              "policy of this model, or train one with Train BlockDance-Ada")


@dataclass(frozen=True)
class PolicyFile:
    """source: the file's name, for messages."""
    source: str
    card: Card
    network: DecisionNetwork

    @property
    def policy(self) -> AdaMethod:
        return AdaMethod(self.network, self.card.borders, self.card.rho)


def write(path: Path, card: Card, network: DecisionNetwork) -> None:
    """Write all of it or nothing, in half precision: a decision is no matter of the fourth digit."""
    weights = {name: value.detach().half().cpu().contiguous() for name, value in network.state_dict().items()}
    save_whole(path, weights, card.metadata())


def save_whole(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write all of a safetensors file or nothing."""
    with replacing(path) as written:
        save_file(tensors, written, metadata)


def read(path: Path, operations=torch.nn) -> PolicyFile:
    """Raises PolicyError, with the file's name and the reason, for anything but a sound policy."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path.stat().st_size} bytes are too many")
        with safe_open(path, "pt") as file:
            card = Card.parse(file.metadata() or {})
            network = DecisionNetwork(card.sizes, operations, "meta")
            expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
            if found != expected:
                wrong = sorted(name for name in found.keys() | expected if found.get(name) != expected.get(name))
                raise ValueError(f"its weights are not those of its sizes: {', '.join(wrong[:3])}")
            weights = {name: file.get_tensor(name).to(torch.float32, copy=True) for name in expected}
        if not all(value.isfinite().all() for value in weights.values()):
            raise ValueError("its weights are not all finite")
        network.load_state_dict(weights, assign=True)
        network = network.requires_grad_(False).eval()
        AdaMethod(network, card.borders, card.rho)  # checks that they fit each other
        return PolicyFile(path.name, card, network)
    except KeyError as error:
        raise PolicyError(f"{path.name} is no usable policy: {error} is missing") from None
    except OSError as error:
        raise PolicyError(f"{path.name} cannot be read: {error}") from None
    except SafetensorError as error:
        raise PolicyError(f"{path.name} is no usable policy: it is cut off, or no safetensors file ({error})") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise PolicyError(f"{path.name} is no usable policy: {error}") from None
