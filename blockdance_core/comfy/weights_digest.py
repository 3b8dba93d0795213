"""What tells two models of one class apart: a digest of a few hundred sampled numbers of their weights.

It is that of the weights as they were loaded, wherever they are now and whatever was added to them meanwhile: a patched
weight is read from ComfyUI's backup, and LoRAs and merges are read from the patches themselves. Only the sampled
numbers are read, so nothing is loaded, moved or dequantised for it.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence

import torch
from comfy.model_patcher import ModelPatcher

from .messages import words_of

logger = logging.getLogger(__name__)
TENSORS, NUMBERS = 64, 8  # tensors that are sampled, evenly over the names, and numbers of each
GOLDEN = (5 ** .5 - 1) / 2
LENGTH = 12  # hexadecimal digits


def weights_digest(model: ModelPatcher) -> str:
    """Empty where the weights are such that they cannot be read."""
    try:
        digest = hashlib.sha256()
        for part in _parts(model):
            digest.update(part)
        return digest.hexdigest()[:LENGTH]
    except Exception as error:  # weights of any pack; the model is then known by its class alone
        logger.warning("the weights of this model cannot be told from others': %s", words_of(error))
        return ""


def _parts(model: ModelPatcher) -> Iterator[bytes]:
    weights = dict(sorted(model.model.diffusion_model.named_parameters(prefix="diffusion_model")))
    chosen = _evenly(list(weights), TENSORS)
    yield _sampled([_original(model, name, weights[name]) for name in chosen])
    patches = {name: list(_leaves(found)) for name, found in sorted(model.patches.items(), key=lambda item: item[0])}
    for name, leaves in patches.items():
        yield repr((name, [leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)])).encode()
    yield _sampled([leaf for name in _evenly(list(patches), TENSORS) for leaf in patches[name]
                    if isinstance(leaf, torch.Tensor)])


def _original(model: ModelPatcher, name: str, weight: torch.Tensor) -> torch.Tensor:
    """The weight as it was loaded."""
    if name in model.backup:
        return model.backup[name].weight
    return model.hook_backup[name][0] if name in model.hook_backup else weight


def _leaves(found: object) -> Iterator[torch.Tensor | str]:
    """The tensors and plain values in what a patch is made of: tuples, lists, adapters and functions."""
    if isinstance(found, torch.Tensor):
        yield found
    elif isinstance(found, (tuple, list)):
        for part in found:
            yield from _leaves(part)
    elif found is None or isinstance(found, (bool, int, float, str)):
        yield repr(found)
    else:
        yield type(found).__qualname__
        yield from _leaves(getattr(found, "weights", None))


def _sampled(tensors: Sequence[torch.Tensor]) -> bytes:
    """The same places of each tensor, rounded as the shortest of the usual dtypes is, since loading may change it."""
    numbers = [raw[_places(raw)].reshape(-1).to(torch.float32).to(torch.bfloat16)
               for tensor in tensors for raw in _raw(tensor)]
    by_device: dict[torch.device, list[torch.Tensor]] = {}
    for found in numbers:
        by_device.setdefault(found.device, []).append(found)
    read = {device: iter(torch.cat(found).cpu().view(torch.int16).split([len(part) for part in found]))
            for device, found in by_device.items()}  # one read-back from each device
    return b"".join(next(read[found.device]).numpy().tobytes() for found in numbers)


def _raw(tensor: torch.Tensor) -> list[torch.Tensor]:
    """A tensor as it is stored: quantised numbers and their scales in place of what they stand for."""
    if hasattr(tensor, "__tensor_flatten__"):
        return [part for name in tensor.__tensor_flatten__()[0] for part in _raw(getattr(tensor, name))]
    raw = tensor.detach().as_subclass(torch.Tensor)
    return [] if raw.is_meta or not raw.numel() else [raw]


def _places(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Spread over a tensor, in no step with its rows: indices for each dimension, so that none is copied to be flat."""
    places = [int((place + 1) * GOLDEN % 1 * tensor.numel()) for place in range(min(NUMBERS, tensor.numel()))]
    return torch.unravel_index(torch.tensor(places, device=tensor.device), tensor.shape)


def _evenly(names: list[str], most: int) -> list[str]:
    return [names[place * len(names) // most] for place in range(most)] if len(names) > most else names
