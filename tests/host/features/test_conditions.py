"""Every way in which ComfyUI lays out conditions and latents over the passes of an evaluation."""

from functools import partial

import comfy.sample
import comfy.samplers
import node_helpers
import pytest
import torch

from blockdance.blockdance_core.engine.cache import Cache
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.tests.models.tiny import FLUX, Tiny, sample, seeded
from blockdance.tests.trial import TINIES, Trial, guided_by

METHOD = DeltaCacheMethod(N=2)
POSITIVE, NEGATIVE = 10, 20


@pytest.fixture(params=TINIES)
def tiny(request) -> Tiny:
    return request.param


def split(tiny: Tiny) -> tuple[int, int]:
    """A part of the latent, still large enough for PixArt."""
    height, width = tiny.latent[-2:]
    return height, width * 3 // 4


def area(tiny: Tiny, seed: int) -> list:
    """A prompt for the whole picture, and one for its left part."""
    values = {"area": (*split(tiny), 0, 0), "strength": .8, "set_area_to_bounds": False}
    return tiny.conditioning(seed) + node_helpers.conditioning_set_values(tiny.conditioning(seed + 1), values)


def areas(tiny: Tiny, seed: int) -> list:
    """Two prompts for two parts, none for the whole picture."""
    height, width = split(tiny)
    left, right = ({"area": (height, width, 0, x), "strength": 1., "set_area_to_bounds": False}
                   for x in (0, tiny.latent[-1] - width))
    return (node_helpers.conditioning_set_values(tiny.conditioning(seed), left)
            + node_helpers.conditioning_set_values(tiny.conditioning(seed + 1), right))


def masks(tiny: Tiny, seed: int, bounds: bool = False) -> list:
    mask = torch.zeros(1, *tiny.latent[-2:])
    mask[..., :split(tiny)[1]] = 1.
    values = {"mask": mask, "set_area_to_bounds": bounds, "mask_strength": .7}
    return tiny.conditioning(seed) + node_helpers.conditioning_set_values(tiny.conditioning(seed + 1), values)


def ranges(tiny: Tiny, seed: int) -> list:
    """One prompt follows another, and a third is there in between."""
    return [item for number, (start, end) in enumerate([(0., .5), (.5, 1.), (.3, .7)])
            for item in node_helpers.conditioning_set_values(
                tiny.conditioning(seed + number), {"start_percent": start, "end_percent": end})]


POSITIVES = {
    "whole": Tiny.conditioning, "area": area, "areas": areas, "mask": masks, "bounds": partial(masks, bounds=True),
    "ranges": ranges,
}
NEGATIVES = {"whole": Tiny.conditioning, "longer": partial(Tiny.conditioning, tokens=7), "area": area}


@pytest.fixture(params=["together", "apart"])
def memory(request, monkeypatch):
    """Without memory for both conditions ComfyUI calls the model for each."""
    if request.param == "apart":
        monkeypatch.setattr("comfy.model_patcher.ModelPatcher.get_free_memory", lambda self, device: 0)
    return request.param


@pytest.mark.parametrize("positive", POSITIVES)
def test_conditions(tiny, positive, memory):
    conditions = {"positive": POSITIVES[positive](tiny, POSITIVE), "negative": tiny.conditioning(NEGATIVE)}
    trial = Trial(tiny)
    trial.check(partial(sample, tiny=tiny, steps=6, **conditions), METHOD, bound=.3)
    report, = trial.reports
    assert not report.failures and (positive == "ranges" or report.misses == 0)
    if positive == "whole":
        assert {evaluation.passes for evaluation in report.evaluations} == {2 if memory == "apart" else 1}


@pytest.mark.parametrize("wanted, moved", [("cond", NEGATIVE), ("uncond", POSITIVE)])
@pytest.mark.parametrize("positive, negative", [
    ("whole", "whole"), ("whole", "longer"), ("area", "whole"), ("areas", "area"), ("mask", "whole"),
    ("ranges", "longer"),
])
def test_what_one_condition_reads_the_other_cannot_change(tiny, positive, negative, memory, wanted, moved):
    """The guidance takes one of the two, so the picture depends on the other only if features mix."""
    trial = Trial(tiny, guided_by(wanted))

    def picture(change: int) -> torch.Tensor:
        shift = {seed: seed + change * (seed == moved) for seed in (POSITIVE, NEGATIVE)}
        return trial.sample(partial(
            sample, tiny=tiny, steps=6, positive=POSITIVES[positive](tiny, shift[POSITIVE]),
            negative=NEGATIVES[negative](tiny, shift[NEGATIVE])), METHOD)
    unchanged = picture(0)
    assert trial.reports[0].reused == 3
    assert torch.equal(picture(500), unchanged)


def test_areas_may_share_the_uuid_of_their_condition(monkeypatch):
    """ComfyUI copies an area to the other condition, uuid and all; what is stored for the two has to stay apart."""
    keys = []

    keep = Cache.put

    def put(cache, key, *stored):
        keys.append(key[0][1])
        keep(cache, key, *stored)
    monkeypatch.setattr(Cache, "put", put)
    sample_apart = partial(sample, tiny=FLUX, steps=6, positive=area(FLUX, POSITIVE), negative=FLUX.conditioning(20))
    monkeypatch.setattr("comfy.model_patcher.ModelPatcher.get_free_memory", lambda self, device: 0)
    Trial(FLUX).sample(sample_apart, METHOD)
    indices = {}
    for (uuid, index), in keys:
        indices.setdefault(uuid, set()).add(index)
    assert {0, 1} in indices.values(), "no shared uuid: the test tests nothing"


def test_memory_that_comes_and_goes(monkeypatch):
    """What the two conditions stored together is too old once they were apart for a group."""
    evaluations = []

    def counted(model):
        patched = model.clone()
        patched.set_model_sampler_calc_cond_batch_function(count)
        return patched

    def count(args):
        evaluations.append(1)
        return comfy.samplers.calc_cond_batch(
            args["model"], args["conds"], args["input"], args["sigma"], args["model_options"])
    monkeypatch.setattr("comfy.model_patcher.ModelPatcher.get_free_memory",
                        lambda *_: 0 if len(evaluations) in (2, 3, 4) else 2 ** 40)
    trial = Trial(FLUX, counted)
    trial.sample(partial(sample, tiny=FLUX, steps=6), DeltaCacheMethod(N=3))
    assert [(evaluation.passes, evaluation.misses) for evaluation in trial.reports[0].evaluations] == [
        (1, 0), (2, 2), (2, 0), (2, 0), (1, 1), (1, 0)]


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("denoise", [1., .6])
def test_batches_and_pictures_to_start_from(tiny, batch, denoise):
    def sampling(model):
        return comfy.sample.sample(
            model, tiny.noise(batch), 8, 3., "euler", "simple", tiny.conditioning(POSITIVE),
            tiny.conditioning(NEGATIVE), latent, denoise=denoise, disable_pbar=True, seed=1)
    latent = seeded(batch, *tiny.latent, seed=7)
    Trial(tiny).check(sampling, METHOD, bound=.3)


def test_inpainting(tiny):
    latent = seeded(1, *tiny.latent, seed=7)
    mask = torch.zeros(1, 1, *tiny.latent[-2:])
    mask[..., :8] = 1.

    def sampling(model):
        return comfy.sample.sample(
            model, tiny.noise(), 8, 3., "euler", "simple", tiny.conditioning(POSITIVE), tiny.conditioning(NEGATIVE),
            latent, noise_mask=mask, disable_pbar=True, seed=1)
    picture = Trial(tiny).check(sampling, METHOD, bound=.3)
    torch.testing.assert_close(picture[..., 8:], latent[..., 8:], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun"])
def test_two_halves(tiny, sampler):
    """KSamplerAdvanced: the first sampler leaves noise, the second goes on from there."""
    def sampling(model):
        half = partial(comfy.sample.sample, model, tiny.noise(), 10, 3., sampler, "simple",
                       tiny.conditioning(POSITIVE), tiny.conditioning(NEGATIVE), disable_pbar=True, seed=1)
        first = half(torch.zeros(1, *tiny.latent), last_step=5)
        return half(first, disable_noise=True, start_step=5, force_full_denoise=True)
    trial = Trial(tiny)
    trial.check(sampling, METHOD, bound=.3)
    assert [report.plan.steps for report in trial.reports] == [5, 5]


def test_a_larger_picture_afterwards(tiny):
    """Two samplers in one workflow, the second on the upscaled latent."""
    larger = (tiny.latent[0], tiny.latent[1] + 4, tiny.latent[2] + 8)

    def sampling(model):
        first = sample(model, tiny, steps=6)
        latent = torch.nn.functional.interpolate(first, larger[1:])
        return comfy.sample.sample(
            model, seeded(1, *larger, seed=3), 6, 3., "euler", "simple", tiny.conditioning(POSITIVE),
            tiny.conditioning(NEGATIVE), latent, denoise=.7, disable_pbar=True, seed=1)
    trial = Trial(tiny)
    trial.check(sampling, METHOD, bound=.3)
    assert [report.misses for report in trial.reports] == [0, 0]
