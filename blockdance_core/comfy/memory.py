"""What the passes of a run store: where there is room for it, on the device of the model or in main memory."""

import threading
from contextlib import nullcontext
from typing import ContextManager, Hashable

import comfy.model_management as management
import torch
from comfy.model_base import BaseModel

from ..engine.cache import Anchor, Cache, Stored
from ..engine.report import Report
from ..plan.plan import DTYPES, Kind, Reuse
from .messages import Messages

try:
    import comfy.model_prefetch as prefetch
except ImportError:  # an older ComfyUI
    prefetch = None

PASSES = 2  # cond and uncond in one call, as ComfyUI itself estimates a run


class SpanStore:
    """What replaces spans in the passes of one run. Several GPUs may store at once."""

    def __init__(self, report: Report, messages: Messages):
        plan = report.plan
        self._report = report
        self._messages = messages
        self._storage = plan.storage
        self.cache = Cache(plan.extrapolation.anchors if plan.extrapolation else 1, DTYPES[plan.storage.dtype])
        self._lock = threading.Lock()

    def get(self, key: Hashable, reuse: Reuse, time: float) -> Stored | None:
        """What replaces a span at a time, extrapolated if the plan says so; None where nothing is stored."""
        anchors = self.cache.get(key, reuse)
        extrapolation = self._report.plan.extrapolation
        if not anchors or extrapolation is None or reuse.kind is Kind.FEATURE:
            return anchors[0].stored if anchors else None
        weights = extrapolation.weights([anchor.time for anchor in anchors], time)
        return Stored.weighted([(weight, anchor.stored) for weight, anchor in zip(weights, anchors)])

    def put(self, key: Hashable, reuse: Reuse, anchor: Anchor, model: BaseModel, latent: torch.Size) -> None:
        """Keep what a pass of this model, for a latent of this shape, has stored."""
        offload, device = self._storage.offload == "on", anchor.stored.device
        if self._storage.offload == "auto":
            with self._lock:
                offload = not has_room(model, tuple(latent), device)
            if offload:
                self._messages.note(f"what is stored goes to main memory: {device} has none to spare")
        try:
            self.cache.put(key, reuse, anchor, offload)
        except TypeError as error:
            self.cache.dtype = None
            self._messages.fail(f"stored as it is and not as {self._storage.dtype}: {error}")
            self.cache.put(key, reuse, anchor, offload)


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
