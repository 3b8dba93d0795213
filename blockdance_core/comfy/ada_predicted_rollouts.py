"""Rollouts that are predicted instead of sampled: all of a caption's, from one full run.

In that run every step is also computed with what earlier steps have stored, once for each border and age. By what this
changes in its prediction, the latent moves (Euler's rule). The next predictions take over all of that at rho, and
towards the end a share: the one with which a single sampled rollout has the error that is predicted for it. The error
of any decisions is then a sum of measured ones. This is an approximation for small errors, least good where many early
steps reuse: a policy is to be judged by sampled pictures.
"""

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Callable, Hashable

import torch
from comfy.patcher_extension import WrappersMP
from safetensors.torch import save_file

from ..engine.cache import Stored
from ..engine.interception import Interception, Recorder, Replay
from ..engine.macs import MacCounter
from ..plan.plan import Reuse
from .ada_rollouts import Rollouts, load_kept
from .models.architectures import chain_of
from .pass_key import identity

OLDEST = 4  # steps; what is older errs in proportion to its age
KEY = "blockdance predicted rollouts"


@dataclass
class PredictedRollouts(Rollouts):
    """A Studio (ada/training.py) whose pictures are the full run's, changed by the sum of measured errors."""
    predicted: bool = field(default=True, init=False)
    _errors: dict[int, torch.Tensor] = field(default_factory=dict, init=False)

    def __post_init__(self):
        super().__post_init__()
        if self.sampling.sampler != "euler":
            raise ValueError(f"rollouts are predicted by Euler's rule, and the sampler is {self.sampling.sampler}: use "
                             "euler, or have rollouts sampled")

    def rollout(self, caption: int, decisions: tuple[int, ...]) -> torch.Tensor:
        """About the latent (1, C, ...) that these decisions give."""
        result = self._prepared(caption)["full"].clone()
        measured, age = self.errors(caption), 0
        for step, decision in enumerate(decisions):
            age = age + 1 if decision else 0
            if decision:
                known = min(age, OLDEST)
                result.add_(measured[decision - 1, step, known - 1], alpha=age / known)
        return result

    def _prepared(self, caption: int) -> dict[str, torch.Tensor]:
        """Remembered: a rollout takes less time than reading it from a file."""
        if caption not in self._kept:
            self._kept[caption] = super()._prepared(caption)
        return self._kept[caption]

    def errors(self, caption: int) -> torch.Tensor:
        """What one reusing step changes in the end: (borders, decisions, OLDEST ages, 1, C, ...), 0 where nothing is so
        old."""
        if caption not in self._errors:
            self._errors[caption] = self._measured(caption)["errors"].float()
        return self._errors[caption]

    def _measured(self, caption: int) -> dict[str, torch.Tensor]:
        if self.folder is None:
            return self._measure(caption)
        file, of = self.folder / f"{caption}.errors.safetensors", {"of": f"{self._description(caption)} {self.borders}"}
        kept = load_kept(file, of, {"errors", "share"})
        if kept is None:
            kept = self._measure(caption)
            save_file(kept, file, of)
        return kept

    def _measure(self, caption: int) -> dict[str, torch.Tensor]:
        """errors; share: of a change in the latent, what later predictions take over."""
        prepared = self._prepared(caption)
        start, full = prepared["start"], prepared["full"]
        sigmas = self._sigmas[self._first - 1:].cpu()
        found = _Changes(self._reuses)
        patched = self.model.clone()
        patched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, KEY, found.predict_noise)
        patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, found.apply_model)
        self._draw(patched, caption, torch.zeros_like(start), start, sigmas)
        self.macs += found.macs
        ratios = sigmas[2:] / sigmas[1:-1]  # (decisions,)
        out = self.model.model.process_latent_out
        moved = torch.zeros(len(self.borders), self.decisions, OLDEST, *start.shape)
        for (border, step, age), change in found.changes.items():
            change = change.float().cpu() * (1 - ratios[step])
            moved[border, step, age - 1] = out(change) - out(torch.zeros_like(change))
        every_second = tuple(len(self.borders) * (step % 2 == 0) for step in range(self.decisions))
        share = _share(moved[-1, ::2, 0], sigmas[1:], super().rollout(caption, every_second) - full)
        return {"errors": (moved * _passed_on(sigmas[1:], share).view(-1, *[1] * (moved.ndim - 2))).half(),
                "share": torch.tensor(share)}


def _passed_on(sigmas: torch.Tensor, share: float) -> torch.Tensor:
    """How much of a change at each step is there in the end, (decisions,), where predictions take over all of it at the
    first of sigmas, (decisions + 1,), and this share at the last."""
    ratios, time = sigmas[1:] / sigmas[:-1], sigmas[:-1] / sigmas[0]
    each = ratios + (1 - ratios) * (share + (1 - share) * time)
    return torch.cat([each[1:], torch.ones(1)]).flip(0).cumprod(0).flip(0)


def _share(moved: torch.Tensor, sigmas: torch.Tensor, error: torch.Tensor) -> float:
    """The share with which changes at every second step, (decisions / 2, ...), come to an error of this size."""
    def size(share: float) -> float:
        return float(torch.tensordot(_passed_on(sigmas, share)[::2], moved, 1).norm())
    low, high = 0., 1.
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if size(middle) < error.norm() else (low, middle)
    return low


class _Changes:
    """Computes each step of a run in full, and with what was stored `age` steps before.

    changes: of the prediction, by border, decided step and age.
    """

    def __init__(self, reuses: tuple[Reuse, ...]):
        self.changes: dict[tuple[int, int, int], torch.Tensor] = {}
        self.macs = 0
        self._reuses = reuses
        self._step = -1
        self._stored: dict[tuple[int, Hashable, Reuse], Stored] = {}
        self._replayed: tuple[int, Reuse] | None = None
        self._costs: dict[Reuse | None, int] = {}

    def predict_noise(self, executor: Callable, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        self._step += 1
        full = executor(x, *args, **kwargs)
        for border, reuse in enumerate(self._reuses):
            for age in range(1, min(OLDEST, self._step) + 1):
                self._replayed = self._step - age, reuse
                self.changes[border, self._step - 1, age] = executor(x, *args, **kwargs) - full
        self._replayed = None
        self._stored = {key: stored for key, stored in self._stored.items() if key[0] > self._step - OLDEST}
        return full

    def apply_model(self, executor: Callable, x: torch.Tensor, t: torch.Tensor, c_concat, c_crossattn, control,
                    transformer_options: dict, *args, **kwargs) -> torch.Tensor:
        model = executor.class_obj
        chain = chain_of(model.diffusion_model)
        key = identity(model, x, transformer_options, control)
        replay, recorders, reuse = None, (), None
        if self._replayed is not None:
            step, reuse = self._replayed
            replay = Replay(chain, reuse, self._stored[step, key, reuse])
        else:
            recorders = tuple(Recorder(chain, reuse) for reuse in self._reuses)
        counting = MacCounter() if reuse not in self._costs else nullcontext()
        with Interception(chain, replay, recorders), counting as counter:
            output = executor(x, t, c_concat, c_crossattn, control, transformer_options, *args, **kwargs)
        if counter is not None:
            self._costs[reuse] = counter.macs
        self.macs += self._costs[reuse]
        for recorder in recorders:
            stored = recorder.stored()
            if stored is None:
                raise RuntimeError(f"training needs reuse to work on this model, and it does not: {recorder.failure}")
            self._stored[self._step, key, recorder.reuse] = stored
        return output
