"""Picture and sound in one latent: each is measured, forecast and weighed by itself."""

import json
import math
import re

import comfy.conds
import comfy.samplers
import comfy.supported_models as supported
import pytest
import torch
from comfy.model_base import BaseModel, ModelType
from comfy.model_patcher import ModelPatcher
from comfy.nested_tensor import NestedTensor

from blockdance.blockdance_core.auto.kernel import Kernel, mean
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import Fingerprint, Profile, general
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import ANY_MODEL
from blockdance.blockdance_core.engine.report import Report
from blockdance.blockdance_core.plan.schedule import Quantity
from blockdance.tests.models.tiny import CPU, seeded

PICTURE, SOUND = (1, 11, 30, 30), (1, 1, 100)  # 9,900 and 100 numbers
STEPS = 24


class Curve(torch.nn.Module):
    """Outputs that move smoothly in time: `speed` says how fast, and nothing of one stream tells of another."""

    def __init__(self, shape: tuple[int, ...], speed: float, seed: int, size: float = 1.):
        super().__init__()
        self.waves = [(size * seeded(*shape, seed=seed + k) / k, 6 * seeded(*shape, seed=seed + 50 + k))
                      for k in range(1, 6)]
        self.speed = speed

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        return sum(height * torch.cos(k * self.speed * time + phase)
                   for k, (height, phase) in enumerate(self.waves, 1))


class TwoStreams(torch.nn.Module):
    """A diffusion model with a slow picture and a fast sound of its own loudness."""
    dtype = torch.float32

    def __init__(self, loudness: float = 1., device=None, operations=None, **_):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.picture, self.sound = Curve(PICTURE, .7, seed=100), Curve(SOUND, 2.5, seed=200, size=loudness)

    def forward(self, x: list[torch.Tensor], timestep: torch.Tensor, **_) -> list[torch.Tensor]:
        time = timestep.flatten()[0] / 1000
        return [self.picture(time).expand_as(x[0]), self.sound(time).expand_as(x[1])]


class Nested(BaseModel):
    def extra_conds(self, **kwargs) -> dict:
        return {"latent_shapes": comfy.conds.CONDConstant(kwargs["latent_shapes"])}


def build(loudness: float = 1.) -> ModelPatcher:
    config = supported.SD3({"loudness": loudness})
    config.set_inference_dtype(torch.float32, None)
    return ModelPatcher(Nested(config, ModelType.FLOW, unet_model=TwoStreams), load_device=CPU, offload_device=CPU)


def sample(model: ModelPatcher, sampler: str = "euler") -> list[torch.Tensor]:
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS)
    noise = NestedTensor([seeded(*PICTURE, seed=1), seeded(*SOUND, seed=2)])
    latent = NestedTensor([torch.zeros(PICTURE), torch.zeros(SOUND)])
    return comfy.samplers.sample(model, noise, [[torch.zeros(1, 1, 1), {}]], [[torch.zeros(1, 1, 1), {}]], 1., CPU,
                                 comfy.samplers.sampler_object(sampler), sigmas, latent_image=latent, disable_pbar=True,
                                 seed=1).unbind()


class Trial:
    """A run that measures, and then one by what it has shown, at 2x unless otherwise said."""

    def __init__(self, loudness: float = 1., sampler: str = "euler"):
        self.model, self.sampler = build(loudness), sampler
        self.full = sample(self.model, sampler)
        self.measured: dict[Quantity, Kernel] = {}
        patched = attach(self.model, self.method(), family=ANY_MODEL)
        recorded = sample(patched, sampler)
        assert all(map(torch.equal, recorded, self.full))
        self.patched = patched

    def method(self, speedup: float = 2., **more) -> AutoMethod:
        def save(quantity: Quantity, kernel: Kernel) -> str:
            self.measured[quantity] = kernel
            return "kept"
        return AutoMethod(speedup, lambda quantity, _: self.measured.get(quantity), general, save, **more)

    def quality(self, **more) -> list[float]:
        """How close picture and sound come to the full run's, in dB of what each stream is in size."""
        self.patched = attach(self.model, self.method(**more), family=ANY_MODEL)
        found = []
        streams = self.model.model.diffusion_model
        for curve, wanted, given in zip((streams.picture, streams.sound), self.full,
                                        sample(self.patched, self.sampler)):
            size = torch.stack([curve(time).square().mean() for time in torch.linspace(1, 1 / STEPS, STEPS)]).mean()
            found.append(-10 * math.log10(float((given - wanted).square().mean() / size)))
        return found

    @property
    def report(self) -> Report:
        return last_report(self.patched)

    @property
    def expected(self) -> float:
        return float(re.search(r"([\d.]+) dB expected", self.report.plan.note)[1])


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial()


@pytest.mark.parametrize("speedup", [1.5, 2., 2.5])
def test_a_stream_of_one_percent_of_the_numbers_keeps_the_error_that_is_expected(trial, speedup):
    """These streams do not answer to their errors, of which .42 are expected to stay: that makes 4 dB."""
    for quality in trial.quality(speedup=speedup):
        assert quality > trial.expected - 4
    assert trial.report.reused > 0 and not trial.report.failures and not trial.report.notes


@pytest.mark.parametrize("loudness", [.01, 100.])
def test_how_loud_a_stream_is_does_not_matter(trial, loudness):
    wanted = trial.quality()
    assert Trial(loudness).quality() == pytest.approx(wanted, abs=.5)


def test_each_stream_is_closer_with_weights_of_its_own(trial):
    own = trial.quality()
    kernel = trial.measured[Quantity.VELOCITY]
    together = AutoMethod(2., lambda *_: mean([*kernel.streams]), general)
    patched = attach(trial.model, together, family=ANY_MODEL)
    shared = [float((given - wanted).square().mean()) for given, wanted in zip(sample(patched), trial.full)]
    apart = [float((given - wanted).square().mean()) for given, wanted in zip(sample(trial.patched), trial.full)]
    assert apart[0] < shared[0] and apart[1] < shared[1] and min(own) > 0


def test_streams_are_kept_in_a_profile(trial):
    kernel = trial.measured[Quantity.VELOCITY]
    assert len(kernel.streams) == 2
    profile = Profile(Fingerprint("TwoStreams", (1,), 1, True), Quantity.VELOCITY, kernel, 1, {}, {})
    found = Profile.parse(profile.dump(), "it").kernel
    assert [stream.gram[0, -1] for stream in found.streams] == pytest.approx(
        [stream.gram[0, -1] for stream in kernel.streams])
    damaged = json.dumps(json.loads(profile.dump()) | {"streams": [[[1.]]]})
    with pytest.raises(ValueError, match="mine.json"):
        Profile.parse(damaged, "mine.json")


@pytest.mark.parametrize("sampler", ["euler", "heun", "euler_ancestral", "dpmpp_2m"])
def test_samplers_and_a_model_that_was_not_measured(sampler):
    model = build()
    patched = attach(model, AutoMethod(2., lambda *_: None, general), family=ANY_MODEL)
    picture, sound = sample(patched, sampler)
    report = last_report(patched)
    assert picture.shape == PICTURE and sound.shape == SOUND and picture.isfinite().all() and sound.isfinite().all()
    assert report.reused > 0 and not report.failures and not report.misses
    assert report.cache_bytes <= 6 * 4 * (math.prod(PICTURE) + math.prod(SOUND))
