"""A training that is not at its end, as a file to go on from."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from .policy_file import Card, PolicyError, save_whole
from .training import Progress, Score, Training

FORMAT = "blockdance ada training 1"


def save(path: Path, card: Card, training: Training) -> None:
    """Write all of it or nothing: weights, those of the best validation, Adam's moments and the progress."""
    state = training.optimizer.state_dict()["state"]
    tensors = {f"adam.{number}.{name}": value for number, values in state.items() for name, value in values.items()}
    tensors |= {f"network.{name}": value.detach().cpu() for name, value in training.network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in training.best.items()}
    metadata = card.metadata() | {"format": FORMAT, "settings": json.dumps(_kept(training)),
                                  "progress": json.dumps(asdict(training.progress))}
    save_whole(path, {name: value.contiguous().clone() for name, value in tensors.items()}, metadata)


def resume(path: Path, card: Card, training: Training) -> None:
    """Bring a fresh training to where the file's was. Raises PolicyError where the file is not of this training."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}")
            expected = {"settings": json.dumps(_kept(training)), **_described(card.metadata())}
            found = metadata | _described(metadata)
            if different := [name for name, value in expected.items() if found.get(name) != value]:
                raise ValueError(f"it is of other {', '.join(different)} than asked for")
            progress = json.loads(metadata["progress"])
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
        parts = {part: {name.removeprefix(part): value for name, value in tensors.items() if name.startswith(part)}
                 for part in ("network.", "best.", "adam.")}
        training.network.load_state_dict(parts["network."])
        adam: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in parts["adam."].items():
            number, field = name.split(".")
            adam.setdefault(int(number), {})[field] = value
        training.optimizer.load_state_dict({**training.optimizer.state_dict(), "state": adam})
        progress["scores"] = [Score(**score) for score in progress["scores"]]
        progress["validations"] = [(batches, Score(**score)) for batches, score in progress["validations"]]
        training.best, training.progress = parts["best."], Progress(**progress)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise PolicyError(f"{path.name} cannot be resumed: {error}. Train under another name, or delete it to begin "
                          "anew") from None


def _kept(training: Training) -> dict:
    """What must be the same: everything but when to stop."""
    settings = asdict(training.settings)
    return {name: value for name, value in settings.items() if name not in ("epochs", "patience")} | {
        "captions": len(training.trained_on) + len(training.held_out)}


def _described(metadata: dict[str, str]) -> dict[str, object]:
    """What a policy is for and is trained with, by name."""
    return {**{name: metadata[name] for name in ("model", "sizes", "borders", "rho", "steps")},
            **json.loads(metadata["training"])}
