"""Patches of other packs on the blocks that we intercept, and other caches: composed, never clobbered."""

from functools import partial

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfy_extras.nodes_tomesd import TomePatchModel

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.unet import UNETS
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.unet import UNetMethod
from blockdance.blockdance_core.plan.plan import Kind
from blockdance.tests.models.tiny import FLUX, Tiny, sample
from blockdance.tests.models.unets import SD
from blockdance.tests.trial import OFF, TINIES, Trial, distance

METHOD = DeltaCacheMethod(N=2, n_cached=4)  # on Flux: the double blocks and the first single one
FEATURE = DeltaCacheMethod(N=2, n_cached=4, kind=Kind.FEATURE)


@pytest.fixture(params=TINIES[:2])
def tiny(request) -> Tiny:
    return request.param


def replacing(replacement, block: int = 1):
    def prepare(model):
        patched = model.clone()
        patched.set_model_patch_replace(replacement, "dit", "double_block", block)
        return patched
    return prepare


def louder(args, extra):
    out = extra["original_block"](args)
    return out | {"img": out["img"] * 1.1}


def around(args, extra):
    return {"img": args["img"], "txt": args["txt"]}


@pytest.mark.parametrize("method", [METHOD, FEATURE], ids=["delta", "feature"])
@pytest.mark.parametrize("replacement, block", [(louder, 1), (around, 1), (louder, 2), (louder, 0)],
                         ids=["inside", "without the block", "last of a stack", "first"])
def test_blocks_replaced_by_another_pack(tiny, replacement, block, method):
    picture = Trial(tiny, replacing(replacement, block)).check(partial(sample, tiny=tiny), method, bound=.5)
    assert not torch.allclose(picture, Trial(tiny).sample(partial(sample, tiny=tiny), method))


@pytest.mark.parametrize("block", [0, 2])
def test_a_replaced_block_at_the_border_is_computed(block):
    """Its place is never reached, so there is nothing to store, or nowhere to start from."""
    method = DeltaCacheMethod(N=2, n_cached=3)
    trial = Trial(FLUX, replacing(around, block))
    full = trial.sample(partial(sample, tiny=FLUX))
    assert torch.equal(trial.sample(partial(sample, tiny=FLUX), method), full)
    assert "did not run them exactly once" in trial.reports[0].failures[0]


@pytest.mark.parametrize("method", [METHOD, FEATURE], ids=["delta", "feature"])
@pytest.mark.parametrize("block", [0, 1, 2])
def test_a_replacement_that_skips_its_block_on_some_steps(block, method):
    """Without a look at which blocks were called, what stands in for them would become the picture."""
    steps = []

    def sometimes(args, extra):
        # the evaluation of step 3 is to reuse step 2
        return around(args, extra) if len(steps) == 4 else extra["original_block"](args)

    def stepping(model):
        patched = replacing(sometimes, block)(model)
        patched.set_model_sampler_calc_cond_batch_function(step)
        return patched

    def step(args):
        steps.append(1)
        return comfy.samplers.calc_cond_batch(
            args["model"], args["conds"], args["input"], args["sigma"], args["model_options"])

    def sampling(model):
        steps.clear()
        return sample(model, FLUX, steps=6)
    trial = Trial(FLUX, stepping)
    full = trial.sample(sampling)
    assert distance(trial.sample(sampling, method), full) < .1
    assert trial.reports[0].evaluations[3].misses == 1 and not trial.reports[0].failures


def test_patches_between_the_blocks():
    def prepare(model):
        patched = model.clone()
        patched.set_model_patch(lambda args: {"img": args["img"] * 1.1, "txt": args["txt"]}
                                | {key: args[key] for key in ("img_ids", "txt_ids")}, "post_input")
        patched.set_model_attn1_output_patch(lambda out, extra: out * 1.1)
        return patched
    Trial(FLUX, prepare).check(partial(sample, tiny=FLUX), METHOD, bound=.5)


def test_a_block_that_is_an_object_patch():
    """The replaced module is intercepted, and the original comes back afterwards."""
    def prepare(model):
        class Louder(type(original)):
            def forward(self, img, txt, *args, **kwargs):
                return tuple(1.1 * out for out in super().forward(img, txt, *args, **kwargs))
        replaced = Louder.__new__(Louder)
        replaced.__dict__ = original.__dict__.copy()
        patched = model.clone()
        patched.add_object_patch("diffusion_model.double_blocks.1", replaced)
        return patched
    trial = Trial(FLUX, prepare)
    original = trial.model.model.diffusion_model.double_blocks[1]
    plain = Trial(FLUX).sample(partial(sample, tiny=FLUX), METHOD)
    assert not torch.allclose(trial.check(partial(sample, tiny=FLUX), METHOD, bound=.5), plain)
    assert torch.equal(sample(attach(trial.model, METHOD), FLUX), plain)


@pytest.mark.parametrize("kind", Kind)
def test_a_replacement_that_calls_its_block_twice(kind):
    """Which of the two calls is the block's cannot be known, so nothing is stored."""
    def twice(args, extra):
        extra["original_block"](args | {"img": 0 * args["img"]})
        return extra["original_block"](args)
    model, reports = FLUX.build(), []
    model.set_model_patch_replace(twice, "dit", "single_block", 0)
    reused = sample(attach(model, DeltaCacheMethod(n_cached=4, kind=kind), reports.append), FLUX)
    assert torch.equal(reused, sample(model, FLUX)) and "exactly once" in reports[0].line()


def test_blocks_that_have_a_forward_of_their_own():
    """Other packs put one on the instance; ours calls it, and puts it back."""
    model = FLUX.build()
    plain = sample(attach(model, METHOD), FLUX)
    own = {}
    for block in model.model.diffusion_model.single_blocks:
        def louder(*args, keep=block.forward, **kwargs):
            return 1.1 * keep(*args, **kwargs)
        own[block] = block.forward = louder
    full, reused = sample(model, FLUX), sample(attach(model, METHOD), FLUX)
    assert 0 < distance(reused, full) < .5 and not torch.allclose(reused, plain)
    assert all(block.__dict__["forward"] is forward for block, forward in own.items())
    assert torch.equal(sample(model, FLUX), full)


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("cache", [EasyCacheNode, LazyCacheNode])
def test_other_caches(cache, first):
    """Steps on which they answer in the model's place are none of ours."""
    def sampling(model):
        other = model if first else cache.execute(model, .4, .1, .9, False)[0]
        return sample(other, FLUX, steps=16)

    def prepare(model):
        return cache.execute(model, .4, .1, .9, False)[0] if first else model
    trial = Trial(FLUX, prepare)
    full = trial.sample(sampling)
    alone = trial.counter.executed
    assert alone < 16 * 8, "the other cache skips nothing: the test tests nothing"
    assert torch.equal(trial.sample(sampling, OFF), full)
    assert trial.reports[0].executed == trial.reports[0].total == alone
    trial.sample(sampling, METHOD)
    report, = trial.reports
    assert report.executed < report.total and not report.failures


def test_token_merging():
    """It merges within a block, at random."""
    model, reports = TomePatchModel.execute(SD.build(), .3)[0], []

    def seeded_sample(patched):
        torch.manual_seed(1)
        return sample(patched, SD)
    full = seeded_sample(model)
    assert torch.equal(seeded_sample(attach(model, UNetMethod(N=1), family=UNETS)), full)
    assert distance(seeded_sample(attach(model, UNetMethod(), reports.append, UNETS)), full) < .5
    assert reports[0].executed < reports[0].total and not reports[0].failures
