"""Whether what is evaluated stays in its place: what was stored of one part of a picture is wrong for any other.

Nodes cut the latent into tiles or roll it between the sampler and the model, some by other offsets at each step. Their
passes are looked up in the sampler's latent (engine/moved_latent.py). A sampler or wrapper that is not ComfyUI's own
may do so with the latent itself, of which only the one before is known.
"""

from typing import Hashable

import torch

from ..engine.moved_latent import Alarm, Continuity, Places

MOVED = ("passes show another part of the latent than before, as with tiles or a picture that a node moves from step "
         "to step, where nothing that was stored belongs")
UNLIKE = ("what the sampler evaluates has nothing in common with the evaluation before, as with another part of the "
          "picture or noise that is all new, so that nothing that was stored belongs there")


class MovingParts:
    """One run. whole: whether its sampler is known to evaluate the whole latent, always."""

    def __init__(self, whole: bool):
        self._alarm = Alarm()
        self._places = Places()
        self._continuity = None if whole else Continuity()

    def evaluation(self, latent: torch.Tensor, time: float) -> None:
        """An evaluation begins; time: in that of a flow."""
        self._alarm.begin()
        if self._continuity is not None:
            self._add(self._continuity.broken(latent, time), UNLIKE)

    def a_pass(self, key: Hashable, x: torch.Tensor, latent: torch.Tensor) -> None:
        """A pass begins, of this latent. key: what it has in common with the passes that may use what it stores."""
        self._add(self._places.changed(key, x, latent), MOVED)

    def rings(self) -> str:
        """Why nothing may be reused any more, if so."""
        return self._alarm.rings()

    def _add(self, flag: torch.Tensor | None, reason: str) -> None:
        if flag is not None:
            self._alarm.add(flag, reason)
