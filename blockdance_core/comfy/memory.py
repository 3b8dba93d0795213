"""Room for what a run stores, on the device of its model: asked of ComfyUI, which makes some if it can."""

from contextlib import nullcontext
from typing import ContextManager

import comfy.model_management as management
import torch
from comfy.model_base import BaseModel

try:
    import comfy.model_prefetch as prefetch
except ImportError:  # an older ComfyUI
    prefetch = None

PASSES = 2  # cond and uncond in one call, as ComfyUI itself estimates a run


def has_room(model: BaseModel, latent: tuple[int, ...], device: torch.device) -> bool:
    """Whether the device can hold what was stored there and still run the model on this latent, (B, C, ...).

    ComfyUI does not count what is stored when it loads a model. Where too little is left for the next call, it is asked
    to unload the models that are not in use. Main memory always has room.
    """
    if management.is_device_cpu(device) or management.is_device_mps(device):
        return True
    needed = max(management.minimum_inference_memory(), model.memory_required([PASSES * latent[0], *latent[1:]]))
    if _free(model, device) >= needed:
        return True
    used = [loaded for loaded in management.current_loaded_models if loaded.currently_used]
    management.free_memory(needed, device, keep_loaded=used)
    return _free(model, device) >= needed


def keeping() -> ContextManager:
    """Around what is stored in the middle of a call of the model.

    A newer ComfyUI plans the memory of a call from what was allocated in the one before, and gives it to the next call
    again; what stays has to be allocated outside of that plan.
    """
    return getattr(prefetch, "pause_malloc_graph", nullcontext)()


def _free(model: BaseModel, device: torch.device) -> int:
    """As the host asks before it batches passes: weights that can be streamed in anew count as free."""
    patcher = model.current_patcher
    return management.get_free_memory(device) if patcher is None else patcher.get_free_memory(device)
