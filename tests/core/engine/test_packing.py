"""Tensors put away in fewer bits: how far they come back, and that they do not depend on one another."""

import pytest
import torch

from blockdance.blockdance_core.engine.cache import pack


def tensor(*shape: int, scale: float = 1., dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [.01, 1., 1e4])
def test_fp8_keeps_three_bits_of_every_number_worth_it(scale, dtype):
    wanted = tensor(64, 32, scale=scale, dtype=dtype)
    packed = pack(wanted, torch.float8_e4m3fn, offload=False)
    found = packed.unpack()
    assert found.dtype is dtype and packed.bytes == 64 * 32 + 4
    large = wanted.abs() > 1e-3 * wanted.abs().max()
    assert ((found - wanted).float().abs() <= wanted.float().abs() / 16)[large].all()
    assert (found - wanted).abs().max() < wanted.abs().max() / 16


def test_fp8_hardly_depends_on_what_else_is_in_the_batch():
    """The scale is a power of two, so only the smallest numbers round otherwise."""
    alone, large = tensor(1, 8, 8), 5 * tensor(1, 8, 8)
    together = pack(torch.cat([alone, large]), torch.float8_e4m3fn, offload=False).unpack()[:1]
    single = pack(alone, torch.float8_e4m3fn, offload=False).unpack()
    assert torch.equal(together[alone.abs() > .01], single[alone.abs() > .01])


@pytest.mark.parametrize("given", [torch.zeros(4, 4), torch.zeros(0, 4)], ids=["zeros", "nothing"])
def test_fp8_of_no_size(given):
    assert torch.equal(pack(given, torch.float8_e4m3fn, offload=False).unpack(), given)


@pytest.mark.parametrize("given", [tensor(4, 4).bfloat16(), tensor(4, 4).half(), torch.arange(4)],
                         ids=["the same size", "as large", "integers"])
def test_what_would_not_get_smaller_is_left_alone(given):
    assert torch.equal(pack(given, torch.bfloat16, offload=False).unpack(), given)


def test_bf16_of_float32():
    packed = pack(tensor(4, 4), torch.bfloat16, offload=False)
    assert packed.bytes == 32 and torch.equal(packed.unpack(), tensor(4, 4).bfloat16().float())


def test_main_memory():
    packed = pack(tensor(4, 4), None, offload=True)
    assert packed.tensor.device.type == "cpu" and torch.equal(packed.unpack(), tensor(4, 4))
