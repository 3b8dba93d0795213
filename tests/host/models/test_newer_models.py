"""What models newer than this ComfyUI do with their blocks, in stand-ins that call them in the same way.

Their code was read, not run: docs/architectures.md says of which.
"""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from blockdance.blockdance_core.comfy import memory
from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models.architectures import chain_of
from blockdance.blockdance_core.comfy.models.detection import UnsupportedModel
from blockdance.blockdance_core.engine import interception
from blockdance.blockdance_core.engine.blocks import Chain
from blockdance.blockdance_core.engine.interception import Interception, Recorder, Replay
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.plan.plan import Kind, Reuse, Span
from blockdance.tests.models.tiny import FLUX, sample

WIDTH, PROMPT, PICTURE, DEPTH = 8, 3, 5, 6


class Block(torch.nn.Module):
    """Adds to each row what the rows that it may attend to say, (B, T, D), in place as the host's blocks do."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(WIDTH, WIDTH)

    def forward(self, x, attend):
        return x.add_(torch.tanh(self.linear(attend(x))))


class TwoWays(torch.nn.Module):
    """Changes the picture through one method, and makes keys and values of something else through another."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(WIDTH, WIDTH)

    def forward_other(self, x):
        return x + torch.tanh(self.linear(x))

    def forward_gen(self, x, others):
        return x + torch.tanh(self.linear(x + others.mean(1, keepdim=True)))

    forward_generation = lambda self, image, others: self.forward_gen(image, others)  # noqa: E731


class PrefixCache(torch.nn.Module):
    """Qwen-Image 2.1: the first call runs each block on the prompt, then on the picture; later ones on the picture."""

    def __init__(self):
        super().__init__()
        self.transformer_blocks = torch.nn.ModuleList(Block() for _ in range(DEPTH))
        self.kept: dict[int, torch.Tensor] = {}

    def forward(self, prompt, picture):
        prompt, picture, cached = prompt.clone(), picture.clone(), len(self.kept) == DEPTH
        for index, block in enumerate(self.transformer_blocks):
            if not cached:
                def keep(x, index=index):
                    self.kept[index] = x.clone()
                    return x.mean(1, keepdim=True).expand_as(x)
                prompt = block(prompt, keep)
            prefix = self.kept[index]
            picture = block(picture, lambda x, prefix=prefix: torch.cat([prefix, x], 1).mean(1, keepdim=True)
                            .expand_as(x))
        return picture


class OtherMethod(torch.nn.Module):
    """Wan Animate 2 and SenseNova U1.5: the other stream goes from block to block beside the picture."""

    def __init__(self, path: str, method: str):
        super().__init__()
        *parents, last = path.split(".")
        owner = self
        for parent in parents:
            setattr(owner, parent, torch.nn.Module())
            owner = getattr(owner, parent)
        setattr(owner, last, torch.nn.ModuleList(TwoWays() for _ in range(DEPTH)))
        self.blocks_of_it = getattr(owner, last)
        self.method = method
        self.others = 0

    def forward(self, prompt, picture):
        for block in self.blocks_of_it:
            self.others += 1
            prompt = block.forward_other(prompt)
            picture = getattr(block, self.method)(picture, prompt)
        return picture


def named(name: str, model: torch.nn.Module) -> torch.nn.Module:
    model.__class__ = type(name, (type(model),), {})
    torch.manual_seed(0)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=.5)
    return model.requires_grad_(False)


@pytest.fixture
def prompt() -> torch.Tensor:
    return torch.randn(1, PROMPT, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.randn(1, PICTURE, WIDTH, generator=torch.Generator().manual_seed(2))


def recorded(chain: Chain, reuse: Reuse, model, *inputs) -> Recorder:
    recorder = Recorder(chain, reuse)
    with Interception(chain, recorders=(recorder,)):
        model(*inputs)
    return recorder


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("span", [Span(0, DEPTH - 1), Span(1, 4), Span(2, 2)], ids=["all", "inner", "one"])
def test_a_cache_of_the_prompt_is_filled_before_blocks_are_replaced(prompt, picture, kind, span):
    model = named("QwenImage21Transformer2DModel", PrefixCache())
    chain, reuse = chain_of(model), Reuse(span, kind)
    assert recorded(chain, reuse, model, prompt, picture).stored() is None, "the call that fills it"
    kept = {index: rows.clone() for index, rows in model.kept.items()}
    stored = recorded(chain, reuse, model, prompt, picture).stored()
    full = model(prompt, picture)
    with Interception(chain, Replay(chain, reuse, stored)) as intercepted:
        torch.testing.assert_close(model(prompt, picture), full)
    assert intercepted.executed == DEPTH - len(span)
    model.kept.clear()  # as when the host had no room for it any more
    with Interception(chain, replay := Replay(chain, reuse, stored)) as intercepted:
        assert torch.equal(model(prompt, picture), full)
    assert replay.refused and intercepted.executed == 2 * DEPTH
    assert all(torch.equal(model.kept[index], rows) for index, rows in kept.items()) and len(model.kept) == DEPTH


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("name, path, method", [
    ("WanAnimate2Model", "blocks", "forward_gen"),
    ("SenseNovaU15", "language_model.model.layers", "forward_generation")])
def test_blocks_that_are_called_by_another_name(prompt, picture, name, path, method, kind):
    model = named(name, OtherMethod(path, method))
    chain, reuse = chain_of(model), Reuse(Span(1, 4), kind)
    full = model(prompt, picture)
    stored = recorded(chain, reuse, model, prompt, picture).stored()
    model.others = 0
    with Interception(chain, Replay(chain, reuse, stored)) as intercepted:
        torch.testing.assert_close(model(prompt, picture), full)
    assert intercepted.executed == DEPTH - 4 and model.others == DEPTH, "the other stream is computed"
    assert not any(method in block.__dict__ for block in chain.blocks)


def test_a_call_in_windows_is_not_stored(prompt, picture):
    """MiniMax Music 3 and YuE 2 run their blocks once for each window of a long piece."""
    model = named("YuE2", torch.nn.Module())
    model.model = torch.nn.Module()
    model.model.layers = torch.nn.ModuleList(Layer() for _ in range(DEPTH))
    chain, recorder = chain_of(model), Recorder(chain_of(model), Reuse(Span(1, 4), Kind.FEATURE))

    def call(windows: int) -> None:
        for _ in range(windows):
            x = picture
            for layer in model.model.layers:
                x, _ = layer(x, past_key_value=(prompt, prompt, PROMPT))
    with Interception(chain, recorders=(recorder,)):
        call(windows=2)
    assert recorder.stored() is None
    short = Recorder(chain, Reuse(Span(1, 4), Kind.FEATURE))
    with Interception(chain, recorders=(short,)):
        call(windows=1)
    assert short.stored() is not None


class Layer(torch.nn.Module):
    def forward(self, x, past_key_value=None):
        return x + past_key_value[0].mean(), (x, x)


def test_what_is_stored_is_allocated_outside_of_the_hosts_memory_plan(monkeypatch):
    """A stand-in for that of ComfyUI 0.38, which would give the memory to the next call of the model."""
    allocated, pauses = [], []

    @contextmanager
    def pause_malloc_graph():
        pauses.append(True)
        yield
        pauses.pop()

    def copied(hidden, keep=interception.copy):
        allocated.append(bool(pauses))
        return keep(hidden)
    monkeypatch.setattr(memory, "prefetch", SimpleNamespace(pause_malloc_graph=pause_malloc_graph))
    monkeypatch.setattr(interception, "copy", copied)
    sample(attach(FLUX.build(), BlockDanceMethod(N=2, start=0.)), FLUX, steps=6)
    assert allocated.count(True) == 3 and not pauses, "three computed steps, one feature each"


def test_a_model_of_voxels_is_refused_by_name():
    with pytest.raises(UnsupportedModel, match="Trellis2.*BlockDance Auto"):
        chain_of(named("Trellis2", torch.nn.Module()))
