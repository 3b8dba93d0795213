"""The similarity probe and the last report of a MODEL, inside ComfyUI's own samplers."""

import gc
import logging
import weakref

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import BasicGuider, DualCFGGuider, RandomNoise, SamplerCustomAdvanced

from blockdance.blockdance_core.analysis.probe import BlockRecorder, Probe
from blockdance.blockdance_core.analysis.recommendation import recommend
from blockdance.blockdance_core.comfy import probe as probe_module
from blockdance.blockdance_core.comfy.attach import attach, last_report
from blockdance.blockdance_core.comfy.models.architectures import chain_of, transformer_of
from blockdance.blockdance_core.comfy.probe import ProbeRun, attach_probe, last_similarity
from blockdance.blockdance_core.engine.interception import Interception
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.plan.plan import Kind
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.tests.models.tiny import FLUX, PIXART, SD3, apply_model, sample
from blockdance.tests.models.zoo import ZOO


def test_the_probe_changes_nothing(model, tiny):
    full = sample(model, tiny)
    probed = attach_probe(model)
    assert torch.equal(sample(probed, tiny), full) and torch.equal(sample(probed, tiny), full)
    assert torch.equal(sample(model, tiny), full)
    found = last_similarity(probed)
    assert found.steps == tuple(range(8)) and not found.notes
    for change in found.changes.values():
        assert change.cosine[0].isnan().all() and change.cosine[1:].isfinite().all()
        assert change.distance[1:].isfinite().all() and (change.distance[1:] > 0).all()
    assert all(sketches.isfinite().all() for sketches in found.sketches.values())


@pytest.mark.parametrize("name", ZOO)
def test_every_architecture_can_be_heard(name):
    tiny = ZOO[name]
    model = tiny.build()
    full = [apply_model(model, tiny, percent) for percent in (.3, .4)]
    chain, diffusion_model = chain_of(model.model.diffusion_model), model.model.diffusion_model
    probe = Probe(transformer_of(diffusion_model), Schedule((1., .5, 0.), lambda percent: 1 - percent))
    for step, percent in enumerate((.3, .4)):
        probe.begin(step)
        with Interception(chain, recorders=(BlockRecorder(probe, chain, 0, tiny.noise().shape),)):
            assert torch.equal(apply_model(model, tiny, percent), full[step])
    found = probe.similarity()
    assert not found.notes
    for change in found.changes.values():
        assert change.cosine[1].isfinite().all() and change.distance[1].isfinite().all()


class Brute:
    """Every hidden state of the picture's stream, kept whole by hooks of its own."""

    def __init__(self, model, stream, row: int):
        self.entered, self.left = [], []
        for block in chain_of(model.model.diffusion_model).blocks:
            entered, left = [], []
            block.register_forward_pre_hook(
                lambda _, args, kwargs, kept=entered: kept.append(stream(args, kwargs)[row].clone()), with_kwargs=True)
            block.register_forward_hook(
                lambda _, args, output, kept=left: kept.append(stream(args, {}, output)[row].clone()))
            self.entered.append(entered)
            self.left.append(left)

    def states(self, kind: Kind, block: int) -> list[torch.Tensor]:
        if kind is Kind.FEATURE:
            return self.left[block]
        return [after - before for before, after in zip(self.entered[block], self.left[block])]


def pixart(args, kwargs, output=None):
    return args[0] if output is None else output


def sd3(args, kwargs, output=None):
    return args[1] if output is None else output[1]


@pytest.mark.parametrize("tiny, stream", [(PIXART, pixart), (SD3, sd3)], ids=["pixart", "sd3"])
def test_the_numbers_are_those_of_the_whole_states(tiny, stream):
    model = tiny.build()
    # ComfyUI batches uncond before cond; the probe looks at cond
    brute = Brute(model, stream, row=1)
    probed = attach_probe(model)
    sample(probed, tiny, steps=6)
    found = last_similarity(probed)
    for kind in Kind:
        for block in range(found.transformer.depth):
            states = [state.flatten() for state in brute.states(kind, block)]
            whole = torch.nn.functional.normalize(torch.stack(states), dim=1)
            whole = whole @ whole.T
            torch.testing.assert_close(found.changes[kind].cosine[1:, block], whole.diagonal(1), rtol=0, atol=1e-5)
            torch.testing.assert_close(found.matrix(kind, block), whole, rtol=0, atol=.1)
            distance = torch.stack([(b - a).abs().sum() / a.abs().sum() for a, b in zip(states, states[1:])])
            torch.testing.assert_close(found.changes[kind].distance[1:, block], distance)


def test_cond_and_uncond_in_two_calls_show_the_same(model, tiny, monkeypatch):
    probed = attach_probe(model)
    sample(probed, tiny)
    together = last_similarity(probed)
    monkeypatch.setattr(type(model), "get_free_memory", lambda self, device: 0)
    sample(probed, tiny)
    apart = last_similarity(probed)
    for kind in Kind:
        torch.testing.assert_close(apart.changes[kind].distance, together.changes[kind].distance,
                                   rtol=1e-2, atol=1e-3, equal_nan=True)


@pytest.mark.parametrize("style", ["regular", "nested"])
def test_a_guider_of_two_prompts_shows_the_positive_one(style):
    """Its number 0 is the negative prompt, which is left out at a guidance of 1."""
    model = FLUX.build()
    probed = attach_probe(model)
    prompts = [FLUX.conditioning(seed) for seed in (10, 15, 20)]
    guider = DualCFGGuider.execute(probed, *prompts, 1., 1., style)[0]
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 6)
    latent = {"samples": torch.zeros(1, *FLUX.latent)}
    SamplerCustomAdvanced.execute(RandomNoise.execute(5)[0], guider, comfy.samplers.sampler_object("euler"), sigmas,
                                  latent)
    found, changes = last_similarity(probed), []
    for seed in (10, 15, 20):
        alone = attach_probe(model)
        guider = BasicGuider.execute(alone, FLUX.conditioning(seed))[0]
        SamplerCustomAdvanced.execute(RandomNoise.execute(5)[0], guider, comfy.samplers.sampler_object("euler"),
                                      sigmas[:2], latent)
        changes.append(last_similarity(alone).sketches)
    assert found.steps == tuple(range(6))
    for kind, sketches in found.sketches.items():  # at the first step all of them see the same latent
        errors = [float((sketches[0] - change[kind][0]).norm()) for change in changes]
        assert errors[0] < 1e-3 * errors[1] and errors[0] < 1e-3 * errors[2]


def test_the_first_picture_of_a_batch_is_shown():
    model = PIXART.build()
    probed = attach_probe(model)
    sample(probed, PIXART, batch=3)
    assert last_similarity(probed).pictures[0, 0].shape == (20, 20, 32)


@pytest.mark.parametrize("sampler, evaluations", [("heun", 15), ("dpm_adaptive", None)])
def test_samplers_with_several_evaluations_a_step(sampler, evaluations):
    probed = attach_probe(PIXART.build())
    sample(probed, PIXART, sampler=sampler)
    found = last_similarity(probed)
    assert len(found.steps) == evaluations or evaluations is None and len(found.steps) > 8
    assert recommend(found, 2.).block_index == 6


def test_pictures_of_a_stream_with_text_in_it():
    probed = attach_probe(FLUX.build())
    sample(probed, FLUX)
    pictures = last_similarity(probed).pictures
    assert {block for block, _ in pictures} == {0, 1, 3, 4, 6, 7} and {step for _, step in pictures} == set(range(8))
    assert {tuple(picture.shape) for picture in pictures.values()} == {(8, 8, 32)}


@pytest.mark.parametrize("steps", [4, 16])
def test_memory_is_bounded(steps, monkeypatch):
    held = []

    class Watched(ProbeRun):
        def close(self):
            held.append(self.probe.bytes)
    monkeypatch.setattr(probe_module, "ProbeRun", Watched)
    sample(attach_probe(PIXART.build()), PIXART, steps=steps)
    depth, pictures = 8, 6 * min(steps, 8)
    assert held[0] <= depth * (2 * 2 ** 19 + steps * 2 * (4096 + 8)) + pictures * 64 * 64 * 32 * 4


class Failure(Exception):
    pass


@pytest.mark.parametrize("error", [None, Failure])
def test_nothing_but_the_result_outlives_a_run(model, tiny, error, monkeypatch):
    runs = []

    class Watched(ProbeRun):
        def __init__(self, *args):
            super().__init__(*args)
            runs.append(weakref.ref(self.probe))
    monkeypatch.setattr(probe_module, "ProbeRun", Watched)
    probed, calls = attach_probe(model), []

    def fail(*_):
        calls.append(1)
        if error and len(calls) == 6:
            raise error
    hook = chain_of(model.model.diffusion_model).blocks[-1].register_forward_pre_hook(fail)
    if error:
        with pytest.raises(error):
            sample(probed, tiny)
    else:
        sample(probed, tiny)
    hook.remove()
    gc.collect()
    assert runs[0]() is None
    assert not any("forward" in block.__dict__ for block in chain_of(model.model.diffusion_model).blocks)
    assert "blockdance" not in probed.model_options["transformer_options"]
    assert (last_similarity(probed) is None) == bool(error)


def test_the_probe_and_a_policy_replace_each_other(caplog):
    caplog.set_level(logging.INFO)
    model = PIXART.build()
    patched = attach(model, BlockDanceMethod())
    probed = attach_probe(patched)
    assert "Feature Similarity Probe replaces the BlockDance patch" in caplog.text
    assert torch.equal(sample(probed, PIXART), sample(model, PIXART))
    assert last_report(probed) is None and last_similarity(probed) is not None
    assert last_report(patched) is None, "the report of a run that was another's"
    again = attach(probed, BlockDanceMethod())
    sample(again, PIXART)
    assert last_report(again).reused and last_similarity(again) is None


def test_the_last_report_is_known_to_clones_and_to_nobody_else():
    model = PIXART.build()
    patched, other = attach(model, BlockDanceMethod(N=2)), attach(model, BlockDanceMethod(N=3))
    assert last_report(patched) is None and last_report(model) is None
    sample(patched.clone(), PIXART, steps=10)
    assert last_report(patched).method == "BlockDance N=2" and last_report(other) is None
    sample(patched, PIXART, steps=12)
    assert last_report(patched).plan.steps == 12
    stored = [evaluation.step for evaluation in last_report(patched).evaluations if evaluation.stored]
    assert stored == [step - 1 for step in last_report(patched).plan.reused_steps]
