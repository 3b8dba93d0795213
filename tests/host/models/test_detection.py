"""Models that no architecture row knows: detected and right, refused with a reason, or computed in full."""

import comfy.ops
import pytest
import torch

from blockdance.blockdance_core.comfy.attach import attach
from blockdance.blockdance_core.comfy.models import architectures
from blockdance.blockdance_core.comfy.models.architectures import ARCHITECTURES, chain_of
from blockdance.blockdance_core.comfy.models.detection import UnsupportedModel
from blockdance.blockdance_core.engine.interception import Interception, Recorder, Replay
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.plan.plan import Kind, Reuse, Span
from blockdance.tests.models.tiny import PIXART, apply_model, sample
from blockdance.tests.models.zoo import NEWER, ZOO

# Their blocks carry several tensors, which a signature does not tell
SEVERAL = ("SD3", "Qwen-Image", "Qwen-Image-Edit", "Mage-Flow", "Lens", "JoyImage", "PixelDiT", "PiD",
           "HunyuanVideo 1.5", "LTX-2", "Mochi", "CogVideoX", "SeedVR2")
REFUSED = {"HunyuanDiT": "skip connections", "Hunyuan3D 2.1": "skip connections", "HiDream-I1": "no list of at least 4",
           "HiDream-O1": "no list of at least 4", "Cosmos 1": "no list of at least 4",
           "ACE-Step 1.5": "no list of at least 4", "Stable Audio": "no list of at least 4",
           "Stable Audio 3": "no list of at least 4"}


class Block(torch.nn.Module):
    def forward(self, hidden, *_):
        return hidden + 1


class Other(Block):
    def forward(self, *args):
        return args[0]


class Keyword(Block):
    def forward(self, *, hidden):
        return hidden


class Skipping(Block):
    def forward(self, hidden, skip=None):
        return hidden


class Heavy(Block):
    def __init__(self):
        super().__init__()
        self.linear = comfy.ops.disable_weight_init.Linear(8, 8)


def foreign(name: str = "Foreign", **lists) -> torch.nn.Module:
    model = type(name, (torch.nn.Module,), {})()
    for path, blocks in lists.items():
        setattr(model, path, torch.nn.ModuleList(blocks))
    return model


def blocks(count: int, kind: type = Block) -> list[Block]:
    return [kind() for _ in range(count)]


@pytest.fixture
def without_rows(monkeypatch):
    monkeypatch.setattr(architectures, "ARCHITECTURES", {})


@pytest.mark.parametrize("lists, count", [
    (dict(layers=blocks(6)), 6), (dict(refiners=blocks(5), layers=blocks(6)), 6),
    (dict(projections=blocks(9), layers=blocks(6, Heavy)), 6),
    (dict(layers=blocks(4, Other), mixed=[*blocks(8), Other()], names=blocks(3)), 4),
], ids=["one", "the longest", "the one with weights", "the only equal ones"])
def test_the_list_that_is_found(lists, count):
    assert chain_of(foreign(**lists)).stacks == (count,)


@pytest.mark.parametrize("model, message", [
    (foreign(one=blocks(6), two=blocks(6, Other)), r"Foreign.*one \(6 x Block\), two \(6 x Other\)"),
    (foreign(layers=blocks(3)), "Foreign.* 4 "),
    (foreign(mixed=[*blocks(5), Other()]), "Foreign.* 4 "),
    (foreign(layers=blocks(5, Keyword)), r"Foreign.*Keyword.*argument"),
    (foreign(layers=blocks(5, Skipping)), r"Foreign.*Skipping.*skip connections"),
    (foreign("StageC", layers=blocks(9)), "StageC.*Stable Cascade"),
    (foreign("SAM3Model", layers=blocks(9)), "SAM3Model"),
    (foreign("SomeUNet", layers=blocks(9)), r"SomeUNet.*Delta-Cache Patch \(U-Net\)"),
], ids=["two lists", "short", "unequal", "keyword", "skips", "Cascade", "SAM", "U-Net"])
def test_what_is_refused(model, message):
    with pytest.raises(UnsupportedModel, match=message):
        chain_of(model)


def test_a_class_that_shares_only_its_name_with_a_row():
    assert chain_of(foreign("Flux", layers=blocks(7))).stacks == (7,)
    assert chain_of(foreign("PixArtMS", blocks=blocks(5, Other), layers=blocks(7))).stacks == (7,)


@pytest.mark.parametrize("name", [name for name in ZOO if name not in NEWER])
def test_detection_is_right_or_says_why_not(name, without_rows):
    """ComfyUI's own models as if nobody knew them."""
    tiny = ZOO[name]
    model = tiny.build()
    try:
        chain = chain_of(model.model.diffusion_model)
    except UnsupportedModel as error:
        assert REFUSED[name] in str(error)
        return
    assert name not in REFUSED
    full = apply_model(model, tiny)
    for kind in Kind:
        reuse = Reuse(Span(1, len(chain.blocks) - 2), kind)
        recorder = Recorder(chain, reuse)
        with Interception(chain, recorders=(recorder,)):
            assert torch.equal(apply_model(model, tiny), full)
        stored = recorder.stored()
        assert (stored is None) == (name in SEVERAL), recorder.failure
        if stored is None:
            assert "not a tensor" in recorder.failure
            continue
        with Interception(chain, Replay(chain, reuse, stored)) as interception:
            torch.testing.assert_close(apply_model(model, tiny), full, rtol=1e-4, atol=1e-5)
        assert interception.executed == len(chain.blocks) - len(reuse.span)


def test_the_argument_that_is_no_hidden_state(without_rows, monkeypatch):
    """Blocks that take the condition first cannot be told by their signature, but by what they return."""
    model = PIXART.build()
    block_class = type(model.model.diffusion_model.blocks[0])
    original = block_class.forward

    def condition_first(self, t, x, y, *args, **kwargs):
        return original(self, x, y, t, *args, **kwargs)
    monkeypatch.setattr(block_class, "forward", condition_first)
    for block in model.model.diffusion_model.blocks:
        block.register_forward_pre_hook(lambda _, args: (args[2], *args[:2], *args[3:]))
    full, reports = sample(model, PIXART), []
    assert torch.equal(sample(attach(model, BlockDanceMethod(), reports.append), PIXART), full)
    assert "no hidden state" in reports[0].line() and reports[0].executed == reports[0].total


def test_a_detected_model_is_sampled_like_a_known_one(monkeypatch):
    model, reports = PIXART.build(), []
    known = sample(attach(model, BlockDanceMethod(), reports.append), PIXART)
    monkeypatch.setattr(architectures, "ARCHITECTURES", {k: v for k, v in ARCHITECTURES.items() if k != "PixArtMS"})
    assert torch.equal(sample(attach(model, BlockDanceMethod(), reports.append), PIXART), known)
    assert reports[0].executed == reports[1].executed < reports[1].total
