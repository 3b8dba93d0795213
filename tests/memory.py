"""How much memory an object keeps alive in tensors, wherever within itself it keeps them."""

import gc
from types import FunctionType, ModuleType

import torch


def bytes_held(holder: object) -> int:
    """Of the storages of all tensors that can be reached from it; what code and modules know is not its own."""
    seen: dict[int, object] = {}
    storages: dict[int, int] = {}
    waiting = [holder]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, (type, ModuleType)):
            continue
        seen[id(found)] = found
        if isinstance(found, torch.Tensor):
            storage = found.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        elif isinstance(found, FunctionType):
            waiting += [cell.cell_contents for cell in found.__closure__ or ()]
        else:
            waiting += gc.get_referents(found)
    return sum(storages.values())
