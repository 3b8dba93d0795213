"""The pictures that BlockDance-Ada is trained on, sampled as ComfyUI samples them.

A caption's first rho of the steps are sampled once. Full run and rollouts go on from there as ComfyUI's split sampling
does, and compute the last of those steps once more, which stores what reusing steps need.
"""

import hashlib
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Callable, Sequence

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..ada.captions import Caption
from ..ada.method import RHO, check_borders, spans, state_of
from ..ada.network import State
from ..ada.rewards import Reward
from ..engine.controller import Kept, Moment, PlanController, Replanner, Setup
from ..plan.plan import COMPUTE, Plan, Reuse, Transformer
from ..plan.schedule import Schedule
from ..words import count
from .attach import attach, fingerprint_of, last_report, schedule_of
from .models.architectures import transformer_of

ENCODED = 256  # captions whose conditioning is kept


@dataclass(frozen=True)
class Sampling:
    """As KSampler's inputs. Raises ValueError for a name that it does not have, for which it would take another."""
    steps: int = 30
    cfg: float = 4.
    sampler: str = "euler"
    scheduler: str = "simple"

    def __post_init__(self):
        for kind, given, known in (("sampler", self.sampler, comfy.samplers.SAMPLER_NAMES),
                                   ("scheduler", self.scheduler, comfy.samplers.SCHEDULER_NAMES)):
            if given not in known:
                raise ValueError(f"there is no {kind} {given}; use one of {', '.join(known)}")


@dataclass(frozen=True)
class _Follow:
    """Reuses as given; `replanner` may look."""
    reuses: tuple[Reuse | None, ...]
    replanner: Replanner | None = None
    name: str = "BlockDance-Ada rollout"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        if schedule.steps != len(self.reuses):  # a preview
            return Plan((COMPUTE,) * schedule.steps)
        return Plan.from_reuses(self.reuses)

    def begin(self, schedule: Schedule, transformer: Transformer) -> PlanController:
        return PlanController(Setup(self.plan(schedule, transformer), self.replanner), schedule)


@dataclass
class _Look:
    """Keeps the latent of the second evaluation's beginning."""
    latent: torch.Tensor | None = None

    def replan(self, moment: Moment, kept: Kept | None = None) -> None:
        if moment.step == 1 and self.latent is None:
            self.latent = moment.latent.float().cpu().clone()


@dataclass
class Rollouts:
    """A Studio (blockdance_core/ada/training.py).

    encode: gives the CONDITIONING of a caption, or of the negative prompt; latent: an empty one of a single picture;
    decode: makes pictures (1, H, W, 3), frames (T, H, W, 3) or videos (1, T, H, W, 3), in [0, 1], of a sampled one;
    folder: keeps what is computed once, else memory does; seed: of the first caption's noise, unless captions have
    their own. predicted: whether rollouts are estimates.
    """
    model: ModelPatcher
    captions: Sequence[Caption]
    encode: Callable[[str], list]
    negative: str
    latent: torch.Tensor
    sampling: Sampling
    borders: tuple[int, ...]
    reward: Reward
    decode: Callable[[torch.Tensor], torch.Tensor]
    folder: Path | None = None
    rho: float = RHO
    seed: int = 0
    macs: float = field(default=0., init=False)
    predicted: bool = field(default=False, init=False)
    _kept: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict, init=False)

    def __post_init__(self):
        check_borders(self.borders)
        if self.latent.is_nested:
            raise ValueError("a latent of video and sound together cannot be trained on: use a model of one of them")
        self._transformer = transformer_of(self.model.model.diffusion_model)
        self._reuses = spans(self.borders, self._transformer)
        sampling = self.sampling
        self._sigmas = comfy.samplers.KSampler(self.model, sampling.steps, self.model.load_device, sampling.sampler,
                                               sampling.scheduler).sigmas
        self._schedule = schedule_of(self.model.get_model_object("model_sampling"), tuple(self._sigmas.tolist()))
        window = self._schedule.window(self.rho, 1.)
        if not window or not 1 < window[0] < self._schedule.steps:
            raise ValueError(f"{count(sampling.steps, 'step')} and rho {self.rho:g} leave nothing to decide about: "
                             "use more steps, and a rho from 0.1 to 0.9")
        self._first = window[0]
        self._encode = lru_cache(ENCODED)(self.encode)

    @property
    def start(self) -> float:
        """rho as the schedule has it: where the first step that is decided about begins."""
        return math.floor(1e4 * self._schedule.percent_at(self._schedule.sigmas[self._first]) + .5) / 1e4

    @property
    def decisions(self) -> int:
        """How many steps are decided about."""
        return self._schedule.steps - self._first

    @property
    def origin(self) -> dict[str, str]:
        """What pictures are of: a training that goes on must go on with these."""
        return {"negative": self.negative, "size": "x".join(map(str, self.latent.shape)),
                "captions_digest": hashlib.sha256(repr(self.captions).encode()).hexdigest()[:16]}

    def state(self, caption: int) -> State:
        latent = self._prepared(caption)["state"].clone()  # what inference mode has made cannot be trained on
        embedding, details = self._encode(self.captions[caption].text)[0]
        state = state_of(latent, [{**details, "cross_attn": embedding}])
        return state.to(self.model.load_device)

    def quality(self, caption: int, decisions: tuple[int, ...]) -> float:
        with torch.inference_mode():
            picture, full = map(self._frames, (self.rollout(caption, decisions), self._prepared(caption)["full"]))
            return self.reward.score(picture, full, self.captions[caption].text)

    def _frames(self, latent: torch.Tensor) -> torch.Tensor:
        decoded = self.decode(latent)
        return decoded.reshape(-1, *decoded.shape[-3:])

    def rollout(self, caption: int, decisions: tuple[int, ...]) -> torch.Tensor:
        """The latent (1, C, ...) that these decisions give. Raises RuntimeError where they could not be followed."""
        reuses = tuple(self._reuses[decision - 1] if decision else None for decision in decisions)
        return self._go_on(caption, self._prepared(caption)["start"], _Follow((None, *reuses)))

    def _prepared(self, caption: int) -> dict[str, torch.Tensor]:
        """start: the latent before the last of the first steps; state: that of the first decision; full: the result
        of computing everything."""
        if caption in self._kept:
            return self._kept[caption]
        if self.folder is None:
            self._kept[caption] = self._prepare(caption)
            return self._kept[caption]
        file, of = self.folder / f"{caption}.safetensors", {"of": self._description(caption)}
        kept = load_kept(file, of, {"start", "state", "full"})
        if kept is None:
            kept = self._prepare(caption)
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file({name: value.contiguous() for name, value in kept.items()}, file, of)
        return kept

    def _description(self, caption: int) -> str:
        """All that the latents of a caption depend on."""
        return repr((fingerprint_of(self.model), self.sampling, self.start, self.captions[caption], self.seed,
                     self.negative, tuple(self.latent.shape)))

    def _prepare(self, caption: int) -> dict[str, torch.Tensor]:
        with torch.inference_mode():
            noise = comfy.sample.prepare_noise(self.latent, self._seed(caption))
            everything = attach(self.model, _Follow((None,) * (self._first - 1)))
            start = self._sample(everything, caption, noise, self.latent, self._sigmas[:self._first])
            look = _Look()
            full = self._go_on(caption, start, _Follow((None,) * (self.decisions + 1), look))
        return {"start": start, "state": look.latent, "full": full}

    def _go_on(self, caption: int, start: torch.Tensor, plan: _Follow) -> torch.Tensor:
        patched = attach(self.model, plan)
        result = self._sample(patched, caption, torch.zeros_like(start), start, self._sigmas[self._first - 1:])
        report = last_report(patched)
        if report.failures or report.misses:
            raise RuntimeError(f"training needs reuse to work on this model, and it does not: {report.line()}")
        return result

    def _sample(self, patched: ModelPatcher, caption: int, noise: torch.Tensor, latent: torch.Tensor,
                sigmas: torch.Tensor) -> torch.Tensor:
        result = self._draw(patched, caption, noise, latent, sigmas)
        self.macs += last_report(patched).macs
        return result

    def _draw(self, model: ModelPatcher, caption: int, noise: torch.Tensor, latent: torch.Tensor,
              sigmas: torch.Tensor) -> torch.Tensor:
        comfy.model_management.throw_exception_if_processing_interrupted()
        with torch.inference_mode():
            return comfy.sample.sample_custom(
                model, noise, self.sampling.cfg, comfy.samplers.sampler_object(self.sampling.sampler), sigmas,
                self._encode(self.captions[caption].text), self._encode(self.negative), latent, disable_pbar=True,
                seed=self._seed(caption)).float().cpu()

    def _seed(self, caption: int) -> int:
        own = self.captions[caption].seed
        return (self.seed + caption) % 2 ** 64 if own is None else own


def load_kept(file: Path, of: dict[str, str], names: set[str]) -> dict[str, torch.Tensor] | None:
    """What was computed before; None where it is missing, damaged or of something else, and will be replaced."""
    try:
        with safe_open(file, "pt") as opened:
            if opened.metadata() == of and {*opened.keys()} == names:
                return {name: opened.get_tensor(name).clone() for name in opened.keys()}
    except (SafetensorError, OSError):
        pass
    return None
