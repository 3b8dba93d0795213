"""A pass replayed from the cache gives what computing it gave, for every span of every architecture."""

from itertools import permutations

import pytest
import torch

from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.blockdance_core.engine.interception import Interception, Recorder, Replay
from blockdance.blockdance_core.plan.plan import Kind, Reuse, Span
from blockdance.tests.models.tiny import apply_model


def spans(depth: int) -> list[Span]:
    return [Span(first, last) for first in range(depth) for last in range(first, depth)]


@pytest.mark.parametrize("with_control", [False, True], ids=["plain", "control"])
@pytest.mark.parametrize("kind", Kind)
def test_replaying_a_pass_reproduces_it(model, tiny, kind, with_control):
    def run():
        return apply_model(model, tiny, control=tiny.control() if with_control else None)
    chain = chain_of(model.model.diffusion_model)
    full = run()
    for span in spans(len(chain.blocks)):
        reuse = Reuse(span, kind)
        recorder = Recorder(chain, reuse)
        with Interception(chain, recorders=(recorder,)) as interception:
            assert torch.equal(run(), full), f"recording {span} changed the result"
        assert interception.executed == len(chain.blocks)
        for repetition in range(2):  # a second time, because the first may have damaged what is stored
            with Interception(chain, Replay(chain, reuse, recorder.stored())) as interception:
                replayed = run()
            assert interception.executed == len(chain.blocks) - len(span)
            if kind is Kind.FEATURE:
                assert torch.equal(replayed, full), f"{span}, repetition {repetition}"
            else:
                torch.testing.assert_close(replayed, full, rtol=1e-4, atol=1e-5, msg=f"{span}, {repetition}")


def test_what_is_stored_is_a_copy(model, tiny):
    chain = chain_of(model.model.diffusion_model)
    reuse = Reuse(Span(0, len(chain.blocks) - 2), Kind.FEATURE)
    recorder = Recorder(chain, reuse)
    with Interception(chain, recorders=(recorder,)):
        apply_model(model, tiny, control=tiny.control())
    stored = recorder.stored()
    before = [tensor.clone() for hidden in stored.hidden.values() for tensor in hidden if tensor is not None]
    for _ in range(2):
        with Interception(chain, Replay(chain, reuse, stored)):
            apply_model(model, tiny, control=tiny.control(), percent=.7)
    after = [tensor for hidden in stored.hidden.values() for tensor in hidden if tensor is not None]
    assert all(map(torch.equal, before, after))


def test_the_feature_is_what_the_next_block_starts_from(model, tiny):
    """At another noise level the result is that of the deeper blocks alone, started from the stored feature."""
    chain = chain_of(model.model.diffusion_model)
    reuse = Reuse(Span(0, len(chain.blocks) - 2), Kind.FEATURE)
    recorder = Recorder(chain, reuse)
    with Interception(chain, recorders=(recorder,)):
        apply_model(model, tiny, percent=.5)
    seen = []
    last = chain.contracts[-1]
    hook = chain.blocks[-1].register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(tuple(t.clone() for t in last.read(args, kwargs))), with_kwargs=True)
    with Interception(chain, Replay(chain, reuse, recorder.stored())):
        apply_model(model, tiny, percent=.8)
    hook.remove()
    assert all(map(torch.equal, seen[0], recorder.stored().hidden[reuse.span.last]))


def test_a_span_that_did_not_run_once_is_not_stored(model, tiny):
    chain = chain_of(model.model.diffusion_model)
    never, twice = (Recorder(chain, Reuse(Span(0, 1), Kind.FEATURE)) for _ in range(2))
    assert never.stored() is None
    with Interception(chain, recorders=(twice,)):
        apply_model(model, tiny)
        apply_model(model, tiny)
    assert twice.stored() is None


def test_previous_forwards_come_back(model, tiny):
    """LoRA bypass and compiled modules have an instance forward of their own."""
    chain = chain_of(model.model.diffusion_model)
    full = apply_model(model, tiny)
    mine = chain.blocks[0].forward
    chain.blocks[0].forward = mine
    try:
        with pytest.raises(KeyboardInterrupt):
            with Interception(chain):
                assert torch.equal(apply_model(model, tiny), full)
                raise KeyboardInterrupt
        assert chain.blocks[0].__dict__["forward"] is mine
        assert not any("forward" in block.__dict__ for block in chain.blocks[1:])
    finally:
        del chain.blocks[0].forward


def test_in_whatever_order_they_end_nothing_of_them_stays(model):
    """As those of two threads do."""
    chain = chain_of(model.model.diffusion_model)
    reuse = Reuse(Span(0, len(chain.blocks) - 2), Kind.FEATURE)
    before = [dict(block.__dict__) for block in chain.blocks]
    for order in permutations(range(3)):
        overlapping = [Interception(chain, recorders=(Recorder(chain, reuse),)) for _ in range(3)]
        for interception in overlapping:
            interception.__enter__()
        for number in order:
            overlapping[number].__exit__()
        assert [dict(block.__dict__) for block in chain.blocks] == before, order
