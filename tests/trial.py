"""Ways of sampling, tried with and without reuse, and what holds for every one of them."""

import weakref
from typing import Callable

import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.blockdance_core.comfy.run import Run
from blockdance.blockdance_core.engine.report import Report
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.method import Method
from blockdance.tests.models.tiny import FLUX, PIXART, SD3, Tiny

OFF = DeltaCacheMethod(N=1)
# PixArt predicts noise, the others a flow; one of them will do while nothing is changed
TINIES = [pytest.param(FLUX, id="flux"), pytest.param(SD3, id="sd3", marks=pytest.mark.slow),
          pytest.param(PIXART, id="pixart", marks=pytest.mark.slow)]
Sampling = Callable[[ModelPatcher], torch.Tensor]


class Counter:
    """Counts block executions independently of the pack."""

    def __init__(self, model: ModelPatcher):
        self.executed = 0
        self.blocks = chain_of(model.model.diffusion_model).blocks
        for block in self.blocks:
            first = next(module for module in block.modules() if isinstance(module, torch.nn.Linear))
            first.register_forward_hook(self._count)

    def _count(self, *_):
        self.executed += 1


class Trial:
    """A tiny model, prepared as the nodes of a workflow do it before ours, and sampled in one way.

    `reports` has those of the latest sampling with a method.
    """

    def __init__(self, tiny: Tiny, prepare: Callable[[ModelPatcher], ModelPatcher] = lambda model: model):
        self.model = tiny.build()
        self.counter = Counter(self.model)
        self.reports: list[Report] = []
        self._prepare = prepare

    def sample(self, sampling: Sampling, method: Method | None = None) -> torch.Tensor:
        """The picture; with a method, after a look at its report and at what it left behind."""
        prepared = self._prepare(self.model)
        if method is None:
            return sampling(prepared)
        self.reports.clear()
        before = self.counter.executed
        picture = sampling(attach(prepared, method, self.reports.append))
        assert torch.isfinite(picture).all()
        assert sum(report.executed for report in self.reports) == self.counter.executed - before
        for evaluation in (evaluation for report in self.reports for evaluation in report.evaluations):
            assert evaluation.executed <= 2 * evaluation.total  # twice, where a pass had to be computed again
        assert not leftovers(self.model), "the model is not as it was before"
        return picture

    def check(self, sampling: Sampling, method: Method, bound: float) -> torch.Tensor:
        """Identity without reuse; with it, blocks saved at a relative error below the bound, twice the same."""
        full = self.sample(sampling)
        assert torch.equal(self.sample(sampling, OFF), full)
        reused = self.sample(sampling, method)
        assert all(report.executed < report.total for report in self.reports), [r.line() for r in self.reports]
        assert 0 < distance(reused, full) < bound
        assert torch.equal(self.sample(sampling, method), reused)
        return reused


def watched(made: list[weakref.ref]) -> type[Run]:
    """Runs that enter themselves in this list."""
    class Watched(Run):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(weakref.ref(self))
    return Watched


def distance(picture: torch.Tensor, full: torch.Tensor) -> float:
    return float((picture - full).norm() / full.norm())


def leftovers(model: ModelPatcher) -> list[str]:
    """Traces of a run on a model: blocks with a forward of their own, and keys in its options."""
    blocks = chain_of(model.model.diffusion_model).blocks
    traces = [type(block).__name__ for block in blocks if {"forward", "modules"} & block.__dict__.keys()]
    return traces + [key for key in model.model_options["transformer_options"] if key == "blockdance"]


def guided_by(wanted: str) -> Callable[[ModelPatcher], ModelPatcher]:
    """Makes a guidance that computes cond and uncond, and takes its result from one of them alone."""
    def prepare(model: ModelPatcher) -> ModelPatcher:
        patched = model.clone()
        patched.set_model_sampler_cfg_function(lambda args: args[wanted], disable_cfg1_optimization=True)
        return patched
    return prepare


def custom(patcher: ModelPatcher, tiny: Tiny, guider: comfy.samplers.CFGGuider, sampler: str = "euler", steps: int = 8,
           latent: torch.Tensor | None = None, mask: torch.Tensor | None = None, batch: int = 1) -> torch.Tensor:
    """What SamplerCustomAdvanced does with a guider."""
    sigmas = comfy.samplers.calculate_sigmas(patcher.get_model_object("model_sampling"), "simple", steps)
    latent = torch.zeros(batch, *tiny.latent) if latent is None else latent
    return guider.sample(tiny.noise(batch), latent, comfy.samplers.sampler_object(sampler), sigmas, denoise_mask=mask,
                         disable_pbar=True, seed=4)

