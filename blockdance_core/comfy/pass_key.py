"""What tells a pass from every other: two passes share what is stored only if all of it is equal. And which conditions
apply at a noise level, as another evaluation is another one where they change."""

from functools import partial
from typing import Hashable, Mapping

import torch
from comfy.model_base import BaseModel


def identity(model: BaseModel, x: torch.Tensor, transformer_options: dict, control: dict | None) -> Hashable:
    """The same for the same pass of every evaluation, as long as nothing around the model changes."""
    # Areas may give cond and uncond the same uuid, hence the pairs
    conditions = tuple(zip(transformer_options.get("uuids", ()), transformer_options.get("cond_or_uncond", ())))
    window = transformer_options.get("context_window")
    frames = tuple(window.index_list) if hasattr(window, "index_list") else window
    return (id(model), conditions, frames, _patches(transformer_options), _controlled(control), _hooks(model),
            tuple(x.shape), x.dtype, x.device)


def _patches(transformer_options: dict) -> Hashable:
    """Which patches are active (perturbed guidance, adapters), by place and name.

    Names, not identities: some nodes make their patch functions anew for every evaluation.
    """
    replaced = ((kind, place, _name(patch))
                for kind, patches in transformer_options.get("patches_replace", {}).items()
                for place, patch in patches.items())
    added = ((kind, _name(patch))
             for kind, patches in transformer_options.get("patches", {}).items() for patch in patches)
    return frozenset(replaced), tuple(added)


def _name(patch: object) -> str:
    while isinstance(patch, partial):
        patch = patch.func
    return getattr(patch, "__qualname__", type(patch).__qualname__)


def _controlled(control: dict | None) -> Hashable:
    """Where ControlNets add something: their ranges begin and end during sampling."""
    return frozenset(place for place, residuals in (control or {}).items()
                     if not isinstance(residuals, (list, tuple)) or any(r is not None for r in residuals))


def _hooks(model: BaseModel) -> Hashable:
    """The hooks that have changed the weights, with strengths that change during sampling."""
    hooks = getattr(getattr(model, "current_patcher", None), "current_hooks", None)
    return () if hooks is None else tuple((hook, hook.strength) for hook in hooks.hooks)


def active_at(sigma: float, conditions: Mapping[str, list]) -> tuple[tuple[str, int, int], ...]:
    """The name and number of each condition whose timestep range includes sigma, and how many ControlNets act on it."""
    return tuple((name, number, _controls(sigma, condition))
                 for name, conds in conditions.items() for number, condition in enumerate(conds or ())
                 if condition.get("timestep_end", 0.) <= sigma <= condition.get("timestep_start", float("inf")))


def _controls(sigma: float, condition: dict) -> int:
    control, count = condition.get("control"), 0
    while control is not None:
        start, end = getattr(control, "timestep_range", None) or (float("inf"), 0.)
        count += end <= sigma <= start
        control = getattr(control, "previous_controlnet", None)
    return count
