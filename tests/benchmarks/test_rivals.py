"""The rivals in ComfyUI: off is identity, and what they compute and replace is what they say."""

import pytest
import torch

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import chain_of, transformer_of
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.lab.benchmarks.rivals.dbcache import DBCache
from blockdance.lab.benchmarks.rivals.dicache import DiCache
from blockdance.lab.benchmarks.rivals.easycache import EasyCache
from blockdance.lab.benchmarks.rivals.first_block import FirstBlockCache
from blockdance.lab.benchmarks.rivals.fora import FORA
from blockdance.lab.benchmarks.rivals.hicache import HiCache
from blockdance.lab.benchmarks.rivals.magcache import MagCache
from blockdance.lab.benchmarks.rivals.modulated import PROJECTIONS, modulated
from blockdance.lab.benchmarks.rivals.run import attach_rival
from blockdance.lab.benchmarks.rivals.seacache import SeaCache
from blockdance.lab.benchmarks.rivals.spectrum import Spectrum
from blockdance.lab.benchmarks.rivals.taylorseer import TaylorSeer
from blockdance.lab.benchmarks.rivals.teacache import TeaCache
from blockdance.lab.benchmarks.work import WorkCounter
from blockdance.tests.models.tiny import FLUX, PIXART, SD3, Tiny, sample
from blockdance.tests.models.zoo.video import VIDEO
from blockdance.tests.trial import leftovers

TINIES = {"pixart": PIXART, "sd3": SD3, "flux": FLUX, "wan": VIDEO["Wan 2.1 image to video"]}
STEPS = 8
RATIOS = (1.,) * STEPS
OFF = [FORA(1), TaylorSeer(1, 2), HiCache(1), Spectrum(warm_up=STEPS), FirstBlockCache(0.), DBCache(2, 1, 0.),
       DiCache(0.), TeaCache(0.), MagCache(-1., 2, .2, RATIOS), EasyCache(0.), SeaCache(0.)]
ON = [FORA(2), TaylorSeer(3, 2), HiCache(3), Spectrum(3.), FirstBlockCache(9.), DBCache(2, 1, 9., 2), DiCache(9.),
      TeaCache(9.), MagCache(9., 2, .2, RATIOS), EasyCache(9.), SeaCache(9.)]


def draw(model, tiny: Tiny) -> torch.Tensor:
    return sample(model, tiny, steps=STEPS)


@pytest.fixture(params=TINIES, scope="module")
def subject(request):
    tiny = TINIES[request.param]
    model = tiny.build()
    return tiny, model, draw(model, tiny)


@pytest.mark.parametrize("rival", OFF, ids=lambda rival: type(rival).__name__)
def test_without_reuse_the_picture_is_that_of_the_model_alone(subject, rival):
    tiny, model, full = subject
    assert torch.equal(draw(attach_rival(model, rival), tiny), full)


@pytest.mark.parametrize("rival", ON, ids=lambda rival: type(rival).__name__)
def test_reuse_saves_work_repeats_itself_and_leaves_the_model_alone(subject, rival):
    tiny, model, full = subject
    patched = attach_rival(model, rival)
    picture = draw(patched, tiny)
    assert torch.isfinite(picture).all() and not torch.equal(picture, full)
    assert torch.equal(draw(patched, tiny), picture)
    assert not leftovers(model) and torch.equal(draw(model, tiny), full)


def test_fora_is_a_delta_cache_of_all_blocks(subject):
    """Two engines, one method."""
    tiny, model, _ = subject
    method = DeltaCacheMethod(2, 0, transformer_of(model.model.diffusion_model).depth)
    assert torch.equal(draw(attach_rival(model, FORA(2)), tiny), draw(attach(model, method), tiny))


def test_conditions_in_two_calls_do_not_share_what_is_stored(subject, monkeypatch):
    """They would be far apart if they did."""
    tiny, model, _ = subject
    patched = attach_rival(model, TaylorSeer(3, 1))
    together = draw(patched, tiny)
    monkeypatch.setattr(type(patched), "get_free_memory", lambda *_: 0)
    torch.testing.assert_close(draw(patched, tiny), together, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("rival, blocks", [
    (FORA(2), 4 * 8), (FirstBlockCache(9.), 8 + 7), (DBCache(2, 1, 9., 2, 3), 3 * 8 + 5 * 3), (DiCache(9.), 2 * 8 + 6),
    (EasyCache(9., retained=.25), 3 * 8)], ids=lambda value: type(value).__name__)
def test_blocks_that_are_computed(rival, blocks):
    """Of 8 blocks in 8 evaluations. Of DBCache the first 3 evaluations and one of every 4 after them are computed."""
    model = PIXART.build()
    counter = WorkCounter(model)
    draw(attach_rival(model, rival), PIXART)
    assert counter.read().blocks == 2 * blocks  # cond and uncond


def test_the_modulated_input_is_what_the_first_block_attends_to(subject):
    """The block shows it without being computed, and in the same way when it is."""
    tiny, model, _ = subject
    attended, shown = [], []

    class Looking(FORA):
        def begin(self):
            stream = super().begin()
            stream.weights = lambda moment, sight: shown.append(modulated(sight))
            return stream
    block = chain_of(model.model.diffusion_model).blocks[0]
    projection = next(module for path, module in block.named_modules() if path in PROJECTIONS)
    hook = projection.register_forward_pre_hook(lambda _, args: attended.append(args[0]))
    draw(attach_rival(model, Looking()), tiny)
    hook.remove()
    assert len(shown) == STEPS
    assert all(torch.equal(a, b) for a, b in zip(shown, attended[1::2], strict=True))  # shown first, then computed
